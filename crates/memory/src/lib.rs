//! The memory of the process: its size, and the one call of the C library that needs unsafe code, to return what is unused.

/// Returns the resident memory of this process in bytes, or `None` if `/proc` cannot be read.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = size.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// Returns the memory that the allocator keeps for later to the system. Does nothing with a C library other than glibc.
pub fn release_unused() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` has no preconditions, and any thread may call it at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
