//! Memory: what the system can still give, what this process took at most, how often it took more.

use std::{fs, mem::MaybeUninit, path::Path};

/// Where control groups are shown as folders.
const GROUPS: &str = "/sys/fs/cgroup";

/// Bytes that this process can still get: what the system has available, and no more than its control
/// group leaves it, or a group that this one is in. None where the system does not say.
pub fn available_memory() -> Option<u64> {
    let system = kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    Some(left_to(&groups, Path::new(GROUPS)).map_or(system, |left| left.min(system)))
}

/// The largest number of bytes that this process has held in memory at once (peak resident set size).
pub fn peak_memory() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// How many pages this process was given by the system so far without a read from a disk (minor page faults).
pub fn pages_mapped() -> Option<u64> {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: a whole `rusage` is written if 0 is returned.
    let usage = unsafe {
        match libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) {
            0 => usage.assume_init(),
            _ => return None,
        }
    };
    usage.ru_minflt.try_into().ok()
}

/// The bytes of the line `<key>  123 kB`.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// A version of control groups: the folder of its tree, and how the files of a group call what it may take, what it
/// takes and how much of that are pages of files not used lately, which the system takes back before it refuses memory.
struct Version {
    tree: &'static str,
    limit: &'static str,
    usage: &'static str,
    cache: &'static str,
}

const VERSION_1: Version = Version {
    tree: "memory",
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    cache: "total_inactive_file",
};

const VERSION_2: Version =
    Version { tree: "", limit: "memory.max", usage: "memory.current", cache: "inactive_file" };

/// The least that the limits of the control groups of `membership` (lines `number:controllers:/path`, those of version 2
/// `0::/path`) leave, and of the groups around them, up to the top of their tree in the folder `groups`: the limit of a
/// job often stands above the group of its process, and that of a container at the top. None without a limit.
fn left_to(membership: &str, groups: &Path) -> Option<u64> {
    membership.lines().filter_map(|line| left_in_line(line, groups)).min()
}

fn left_in_line(line: &str, groups: &Path) -> Option<u64> {
    let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
    let version = match controllers {
        "" => VERSION_2,
        _ if controllers.split(',').any(|controller| controller == "memory") => VERSION_1,
        _ => return None,
    };
    let top = groups.join(version.tree);
    let group = top.join(path.trim_matches('/'));
    let around = group.ancestors().take_while(|folder| folder.starts_with(&top));
    around.filter_map(|folder| version.left_in(folder)).min()
}

impl Version {
    /// What the limit of the group in `folder` leaves; none without one.
    fn left_in(&self, folder: &Path) -> Option<u64> {
        let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let number = |name: &str| text(name)?.trim().parse::<u64>().ok();
        let (limit, usage) = (number(self.limit)?, number(self.usage)?);
        let stat = text("memory.stat").unwrap_or_default();
        let cache = stat.lines().find_map(|line| line.strip_prefix(self.cache)?.trim().parse::<u64>().ok());
        Some(limit.saturating_sub(usage.saturating_sub(cache.unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{available_memory, kilobytes, left_to, pages_mapped, peak_memory};

    /// A folder of control groups in which these files have these contents.
    fn groups(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (file, content) in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{content}\n")).unwrap();
        }
        root
    }

    #[test]
    fn the_line_is_found() {
        let text = "MemTotal:       16318480 kB\nMemFree:         1000 kB\nMemAvailable:    2000 kB\n";
        assert_eq!(kilobytes(text, "MemAvailable:"), Some(2_048_000));
        assert_eq!(kilobytes("MemTotal: 1 kB\n", "MemAvailable:"), None);
    }

    #[test]
    fn no_group_is_no_limit() {
        let left = |membership: &str| left_to(membership, Path::new("/sys/fs/cgroup"));
        assert_eq!(left(""), None);
        assert_eq!(left("0::/no/such/group\n"), None);
        let root = groups(&[("job/memory.max", "max"), ("job/memory.current", "7")]);
        assert_eq!(left_to("0::/job\n", root.path()), None);
    }

    /// As Slurm and systemd lay groups out: the limit stands above the group that the process is in.
    #[test]
    fn the_least_that_a_group_or_one_around_it_leaves() {
        let root = groups(&[
            ("memory.max", "9000"),
            ("memory.current", "1000"),
            ("job/memory.max", "500"),
            ("job/memory.current", "200"),
            ("job/step/memory.max", "max"),
            ("job/step/memory.current", "100"),
            ("job/step/task/memory.max", "450"),
            ("job/step/task/memory.current", "100"),
        ]);
        for (group, left) in [("/", 8000), ("/job", 300), ("/job/step", 300), ("/job/step/task", 300)] {
            assert_eq!(left_to(&format!("0::{group}\n"), root.path()), Some(left), "{group}");
        }
        // A container is shown its own group as the top, while its path is that of the machine.
        assert_eq!(left_to("0::/docker/abc\n", root.path()), Some(8000));
        fs::write(root.path().join("job/step/task/memory.current"), "430\n").unwrap();
        assert_eq!(left_to("0::/job/step/task\n", root.path()), Some(20));
    }

    #[test]
    fn limits_of_version_1_count() {
        let root = groups(&[
            ("memory/memory.limit_in_bytes", "9223372036854771712"),
            ("memory/memory.usage_in_bytes", "5000"),
            ("memory/job/memory.limit_in_bytes", "3000"),
            ("memory/job/memory.usage_in_bytes", "2500"),
            ("memory/job/memory.stat", "cache 2000\ninactive_file 1\ntotal_inactive_file 1500"),
            ("memory/job/step/memory.limit_in_bytes", "9223372036854771712"),
            ("memory/job/step/memory.usage_in_bytes", "2400"),
            ("cpu/job/memory.limit_in_bytes", "1"),
            ("cpu/job/memory.usage_in_bytes", "1"),
        ]);
        let membership = "9:name=systemd:/\n4:hugetlb,memory:/job/step\n1:cpu:/job\n0::/\n";
        assert_eq!(left_to(membership, root.path()), Some(2000));
    }

    #[test]
    fn pages_of_files_that_the_system_takes_back_are_no_use() {
        let stat = "anon 20\nfile 3780\nfile_mapped 30\ninactive_file 3700\nactive_file 80";
        let root =
            groups(&[("job/memory.max", "4000"), ("job/memory.current", "3800"), ("job/memory.stat", stat)]);
        assert_eq!(left_to("0::/job\n", root.path()), Some(3900));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_buffer_that_is_written_counts() {
        let (before, mapped) = (peak_memory().unwrap(), pages_mapped().unwrap());
        let buffer = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = peak_memory().unwrap();
        assert!(after >= 64 << 20 && after >= before, "{before} {after} {}", buffer.len());
        // Huge pages, where the system gives them unasked, have 2 MiB.
        assert!(pages_mapped().unwrap() - mapped >= 32);
        assert!(available_memory().unwrap() > 0);
    }
}
