//! Memory of this process and of the machine.

use std::path::Path;

/// The most memory that this process has had resident, in bytes; none where the system does not tell.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    Some(field(&status, "VmHWM:")? * 1024)
}

/// The memory that this process has resident now, in bytes; none where the system does not tell.
pub fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    Some(field(&status, "VmRSS:")? * 1024)
}

/// The memory of the machine, in bytes; none where the system does not tell.
pub fn total() -> Option<u64> {
    Some(field(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")? * 1024)
}

/// Memory that this process could still take, in bytes: what the machine has available, and what the limits of its
/// control groups leave. None where the system does not tell, which is everywhere but on Linux.
pub fn available() -> Option<u64> {
    available_below(Path::new("/"))
}

fn available_below(root: &Path) -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let machine = field(&read("proc/meminfo")?, "MemAvailable:")? * 1024;
    let groups = read("proc/self/cgroup").unwrap_or_default();
    Some(groups.lines().flat_map(|line| limits(root, line)).fold(machine, u64::min))
}

/// What the limits of a control group and of those above it leave; a line is `0::/path`, or `4:memory:/path` for
/// version 1.
fn limits(root: &Path, line: &str) -> Vec<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (mount, [limit, usage, cache]) = match parts.next() {
        Some("") => ("sys/fs/cgroup", ["memory.max", "memory.current", "inactive_file"]),
        Some("memory") => {
            ("sys/fs/cgroup/memory", ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"])
        }
        _ => return Vec::new(),
    };
    let group = Path::new(parts.next().unwrap_or_default().trim_start_matches('/'));
    let left = |group: &Path| {
        let folder = root.join(mount).join(group);
        let number = |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
        let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        // pages of files count as used, but are given up when memory is short
        let used = number(usage)?.saturating_sub(field(&stat, cache).unwrap_or(0));
        Some(number(limit)?.saturating_sub(used))
    };
    group.ancestors().filter_map(left).collect()
}

/// The number after a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().map(str::split_whitespace);
    lines.find_map(|mut words| (words.next() == Some(name)).then(|| words.next()?.parse().ok())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        available_below(root.path())
    }

    #[test]
    fn the_tightest_limit_counts() {
        let meminfo = ("proc/meminfo", "MemTotal:  9000 kB\nMemAvailable:  8000 kB\n");
        assert_eq!(machine(&[]), None);
        assert_eq!(machine(&[meminfo]), Some(8000 * 1024));
        let second = [
            meminfo,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/b/memory.current", "1000\n"),
            ("sys/fs/cgroup/a/memory.max", "5000\n"),
            ("sys/fs/cgroup/a/memory.current", "3000\n"),
            ("sys/fs/cgroup/a/memory.stat", "anon 7\ninactive_file 400\n"),
        ];
        assert_eq!(machine(&second), Some(5000 - (3000 - 400)));
        let first = [
            meminfo,
            ("proc/self/cgroup", "9:name=systemd:/\n4:memory:/x\n0::/\n"),
            ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "10\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "700\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "50\n"),
        ];
        assert_eq!(machine(&first), Some(650));
    }
}
