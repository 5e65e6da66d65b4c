//! The context of a body.

use crate::config::MockConfig;
use crate::search::fields::Wanted;
use crate::shop::Reading;

/// The database, the configuration, and the parts that are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) reading: &'a Reading<'a>,
    pub(crate) config: &'a MockConfig,
    pub(crate) wanted: Wanted<'a>,
}
