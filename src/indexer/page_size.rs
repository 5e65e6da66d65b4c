//! The number of orders that are read together.
//!
//! It shrinks to what fits into memory, stays there for a while, and grows again, because large orders are often neighbours.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Pages that are read at a reduced size before it doubles.
const PATIENCE: usize = 16;

/// The number of orders that are read together.
#[derive(Debug)]
pub(crate) struct PageSize {
    most: AtomicUsize,
    /// Pages read since `most` changed.
    read: AtomicUsize,
}

impl Default for PageSize {
    fn default() -> Self {
        Self {
            most: AtomicUsize::new(usize::MAX),
            read: AtomicUsize::new(0),
        }
    }
}

impl PageSize {
    pub(crate) fn get(&self) -> usize {
        // Relaxed: an outdated value only costs a refused page.
        self.most.load(Ordering::Relaxed)
    }

    /// Sets the size to `most` orders, at least one.
    pub(crate) fn shrink(&self, most: usize) {
        self.most.store(most.max(1), Ordering::Relaxed);
        self.read.store(0, Ordering::Relaxed);
    }

    pub(crate) fn grow(&self) {
        let most = self.get();
        if most < usize::MAX && self.read.fetch_add(1, Ordering::Relaxed) >= PATIENCE {
            self.shrink(most.saturating_mul(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reduced_page_grows_after_a_while() {
        let size = PageSize::default();
        size.grow();
        assert_eq!(size.get(), usize::MAX);
        size.shrink(0);
        assert_eq!(size.get(), 1);
        (0..PATIENCE).for_each(|_| size.grow());
        assert_eq!(size.get(), 1);
        size.grow();
        assert_eq!(size.get(), 2);
    }
}
