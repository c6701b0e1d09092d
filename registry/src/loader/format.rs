//! Looks at a file's first bytes: is it a dynamic library for this machine?

use crate::LoadError;
use std::{
    env::consts,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// What a file is: a format, and the machine that it is for if its first bytes say so.
#[derive(Debug, PartialEq, Eq)]
struct Format {
    system: &'static str,
    machine: Option<&'static str>,
}

/// An error unless the file can be loaded on this machine, as far as its first bytes tell.
pub(super) fn check(path: &Path) -> Result<(), LoadError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(|e| LoadError::unreadable(&e))?;
    (&file).take(64).read_to_end(&mut start).map_err(|e| LoadError::unreadable(&e))?;
    let Some(format) = identify(&start) else {
        return Err(LoadError::Format(
            "it is not a dynamic library; give the file that `cargo build` makes of a `cdylib` crate".into(),
        ));
    };
    let (system, machine) = (native_system(), consts::ARCH);
    if format.system == system && format.machine.is_none_or(|m| m == machine) {
        return match is_whole(&file, &start) {
            true => Ok(()),
            false => Err(LoadError::Format(
                "it is cut off: the file ends before what it says is in it; build or copy it again".into(),
            )),
        };
    }
    let built_for = format.machine.map_or_else(|| format.system.to_owned(), |m| format!("{} on {m}", format.system));
    Err(LoadError::Format(format!(
        "it was built for {built_for}, and this program runs on {system} on {machine}; rebuild it for this machine"
    )))
}

/// Whether the file has all that an ELF file of 64 bits says is to be loaded. The system maps what is not there, and ends
/// the program when it is touched.
fn is_whole(mut file: &File, start: &[u8]) -> bool {
    let [0x7f, b'E', b'L', b'F', 2, 1, ..] = start else { return true };
    let Ok(length) = file.metadata().map(|metadata| metadata.len()) else { return false };
    let number = |bytes: &[u8], at: usize, size: usize| -> Option<u64> {
        let mut number = [0; 8];
        number[..size].copy_from_slice(bytes.get(at..at + size)?);
        Some(u64::from_le_bytes(number))
    };
    let mut loadable = || -> Option<bool> {
        let (offset, size, count) = (number(start, 32, 8)?, number(start, 54, 2)?, number(start, 56, 2)?);
        let mut headers = Vec::new();
        file.seek(SeekFrom::Start(offset)).ok()?;
        file.take(size * count).read_to_end(&mut headers).ok()?;
        let ends = |header: &[u8]| {
            let (kind, from, bytes) = (number(header, 0, 4)?, number(header, 8, 8)?, number(header, 32, 8)?);
            // PT_LOAD
            Some(kind != 1 || from.checked_add(bytes)? <= length)
        };
        let whole = headers.len() as u64 == size * count && size >= 56;
        Some(whole && headers.chunks(size as usize).all(|header| ends(header) == Some(true)))
    };
    loadable() == Some(true)
}

/// The format's name for this system: all but Apple's and Microsoft's use ELF.
fn native_system() -> &'static str {
    match consts::FAMILY {
        "windows" => "Windows",
        _ if cfg!(target_vendor = "apple") => "macOS",
        _ => "Linux or Unix",
    }
}

fn identify(start: &[u8]) -> Option<Format> {
    let number = |at: usize, little: bool| -> Option<u16> {
        let bytes = start.get(at..at + 2)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    match start {
        [0x7f, b'E', b'L', b'F', _, order, ..] => {
            Some(Format { system: "Linux or Unix", machine: Some(elf_machine(number(18, *order == 1)?)) })
        }
        [0xcf, 0xfa, 0xed, 0xfe, ..] => {
            let machine = match number(4, true)? {
                7 => "x86_64",
                12 => "aarch64",
                _ => "another processor",
            };
            Some(Format { system: "macOS", machine: Some(machine) })
        }
        // Several machines in one file.
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, ..] => Some(Format { system: "macOS", machine: None }),
        [b'M', b'Z', ..] => Some(Format { system: "Windows", machine: None }),
        _ => None,
    }
}

/// ELF's `e_machine`, by Rust's names.
fn elf_machine(number: u16) -> &'static str {
    match number {
        3 => "x86",
        21 => "powerpc64",
        22 => "s390x",
        40 => "arm",
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv64",
        258 => "loongarch64",
        _ => "another processor",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_program_is_for_this_machine() {
        check(&std::env::current_exe().unwrap()).unwrap();
    }

    #[test]
    fn other_machines_and_other_files_are_told_apart() {
        let mut elf = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\xb7\0";
        assert_eq!(identify(&elf), Some(Format { system: "Linux or Unix", machine: Some("aarch64") }));
        elf[5] = 2;
        assert_eq!(identify(&elf).unwrap().machine, Some("another processor"));
        assert_eq!(identify(b"MZ\x90").unwrap().system, "Windows");
        assert_eq!(identify(b"hello"), None);
        assert_eq!(identify(b""), None);
    }
}
