//! Returns unused memory to the system: the one call of the C library that needs unsafe code.

/// Returns the memory that the allocator keeps for later to the system. Does nothing with a C library other than glibc.
pub fn release_unused() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` has no preconditions, and any thread may call it at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
