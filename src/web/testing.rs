//! Frames and texts for tests of pages.

use crate::web::{Frame, Login, Viewer};
use orderfeed_model::clock::UtcMillis;

/// A text that would end an attribute and start a script, if a page did not escape it.
pub(crate) const HOSTILE: &str = "\"'><script>alert(1)</script>";

/// Returns the frame of an anonymous viewer.
pub(crate) fn frame(path: &str) -> Frame {
    Frame {
        viewer: Viewer::Anonymous,
        now: UtcMillis(10_000),
        path: path.to_owned(),
        notice: None,
        login: Login::Possible,
        may_edit: false,
    }
}

/// Returns the frame of an operator who may save settings.
pub(crate) fn operator(path: &str) -> Frame {
    Frame {
        viewer: Viewer::Operator {
            name: "admin".to_owned(),
        },
        login: Login::Active { can_log_out: true },
        may_edit: true,
        ..frame(path)
    }
}
