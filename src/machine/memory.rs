//! Memory: what the system can still give, what this process took at most.

use std::fs;

/// Bytes that this process can still get: what the system has available, and no more than its control
/// group leaves it. None where the system does not say.
pub fn available_memory() -> Option<u64> {
    let system = kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")?;
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    Some(left_to(&group).map_or(system, |left| left.min(system)))
}

/// The largest number of bytes that this process has held in memory at once (peak resident set size).
pub fn peak_memory() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// The bytes of the line `<key>  123 kB`.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What the limit of the control group (version 2, `0::/path`) leaves; none without a limit.
fn left_to(membership: &str) -> Option<u64> {
    let path = membership.lines().find_map(|line| line.strip_prefix("0::"))?;
    let folder = format!("/sys/fs/cgroup{}", path.trim_end_matches('/'));
    let number = |name: &str| fs::read_to_string(format!("{folder}/{name}")).ok()?.trim().parse::<u64>().ok();
    Some(number("memory.max")?.saturating_sub(number("memory.current")?))
}

#[cfg(test)]
mod tests {
    use super::{available_memory, kilobytes, left_to, peak_memory};

    #[test]
    fn the_line_is_found() {
        let text = "MemTotal:       16318480 kB\nMemFree:         1000 kB\nMemAvailable:    2000 kB\n";
        assert_eq!(kilobytes(text, "MemAvailable:"), Some(2_048_000));
        assert_eq!(kilobytes("MemTotal: 1 kB\n", "MemAvailable:"), None);
    }

    #[test]
    fn no_group_is_no_limit() {
        assert_eq!(left_to(""), None);
        assert_eq!(left_to("0::/no/such/group\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_buffer_that_is_written_counts() {
        let before = peak_memory().unwrap();
        let buffer = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = peak_memory().unwrap();
        assert!(after >= 64 << 20 && after >= before, "{before} {after} {}", buffer.len());
        assert!(available_memory().unwrap() > 0);
    }
}
