//! Quantities for people.

/// `640 KiB`, `12 MiB`, `28.9 GiB`.
pub(crate) fn bytes(n: u64) -> String {
    let n = n as f64;
    match n {
        _ if n < 1e6 => format!("{:.0} KiB", n / 1024.0),
        _ if n < 1e9 => format!("{:.0} MiB", n / 1048576.0),
        _ => format!("{:.1} GiB", n / 1073741824.0),
    }
}

/// `8192`, `70.4 M`, `1.78 B`.
pub(crate) fn count(n: usize) -> String {
    match n as f64 {
        x if x < 1e6 => n.to_string(),
        x if x < 1e9 => format!("{:.1} M", x / 1e6),
        x => format!("{:.2} B", x / 1e9),
    }
}

/// `12.5 GFLOP`, `3.2 TFLOP`.
pub(crate) fn flop(n: f64) -> String {
    let (unit, name) = match n {
        _ if n < 1e9 => (1e6, "M"),
        _ if n < 1e12 => (1e9, "G"),
        _ if n < 1e15 => (1e12, "T"),
        _ => (1e15, "P"),
    };
    format!("{:.1} {name}FLOP", n / unit)
}

/// `less than a second`, `40 s`, `3 min`, `2.5 h`, `4 days`.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "less than a second".into(),
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_that_read_well() {
        assert_eq!([2_000, 12 << 20, 31_030_000_000].map(bytes), ["2 KiB", "12 MiB", "28.9 GiB"]);
        assert_eq!([8192, 70_426_624, 1_777_088_000].map(count), ["8192", "70.4 M", "1.78 B"]);
        assert_eq!([5e6, 1.25e10, 3.2e12, 4e15].map(flop), ["5.0 MFLOP", "12.5 GFLOP", "3.2 TFLOP", "4.0 PFLOP"]);
        let read = ["less than a second", "40 s", "3 min", "2.5 h", "4 days"];
        assert_eq!([0.2, 40.0, 180.0, 9000.0, 345_600.0].map(duration), read);
    }
}
