//! Since when this process runs.

use std::{fs, time::Duration};

/// Ticks in a second of the times in `/proc/<id>/stat`; the same on every Linux.
const TICKS: f64 = 100.0;

/// Time since this process was started, its loading included; exact to 20 ms.
pub fn age() -> Option<Duration> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    since(&uptime, &stat)
}

/// The program's name, in parentheses, may hold blanks; the start is the twentieth field behind it.
fn since(uptime: &str, stat: &str) -> Option<Duration> {
    let now: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let started: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    Duration::try_from_secs_f64(now - started / TICKS).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::since;

    #[test]
    fn a_name_with_blanks_and_parentheses() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1 1";
        assert_eq!(since("130.50 200.00\n", stat), Some(Duration::from_millis(7050)));
        assert_eq!(since("", stat), None);
        assert_eq!(since("1.0 1.0", stat), None, "the process would start in the future");
    }
}
