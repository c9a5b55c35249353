//! What a program says of itself: the processor it is for, and whether it needs a loader.

use std::io::Read;
use std::path::Path;

use thiserror::Error;

use crate::oci::Architecture;

/// Whether a program needs the C library of its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linkage {
    /// It brings everything along.
    Static,
    /// A loader links it with libraries when it starts.
    Dynamic,
}

/// What the head of an ELF file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Elf {
    machine: u16,
    pub linkage: Linkage,
}

/// A program for another processor than its image.
#[derive(Debug, Error)]
#[error("`{program}` was built for another processor than {architecture}")]
pub struct NotForTarget {
    /// The program.
    pub program: String,
    /// The image's processor.
    pub architecture: Architecture,
}

/// The program header that names a loader.
const INTERPRETER: u32 = 3;

impl Elf {
    /// Reads a program's head; `None` for anything else than a 64-bit little-endian ELF.
    pub(crate) fn read(path: &Path) -> std::io::Result<Option<Self>> {
        let mut head = Vec::new();
        fs_err::File::open(path)?
            .take(64 << 10)
            .read_to_end(&mut head)?;
        Ok(Self::parse(&head))
    }

    fn parse(head: &[u8]) -> Option<Self> {
        if !head.starts_with(b"\x7fELF\x02\x01") {
            return None;
        }
        let number = |at: usize, length: usize| -> Option<u64> {
            let field = head.get(at..at.checked_add(length)?)?;
            Some(
                field
                    .iter()
                    .rev()
                    .fold(0, |value, byte| value << 8 | u64::from(*byte)),
            )
        };
        let table = usize::try_from(number(32, 8)?).ok()?;
        let size = number(54, 2)? as usize;
        let count = number(56, 2)? as usize;
        let mut linkage = Linkage::Static;
        for index in 0..count {
            let at = table.checked_add(index * size)?;
            if number(at, 4)? == u64::from(INTERPRETER) {
                linkage = Linkage::Dynamic;
            }
        }
        Some(Self {
            machine: number(18, 2)? as u16,
            linkage,
        })
    }

    /// Checks that it runs on a processor.
    pub(crate) fn check(
        self,
        program: &str,
        architecture: Architecture,
    ) -> Result<Self, NotForTarget> {
        let wanted = match architecture {
            Architecture::Amd64 => 62,
            Architecture::Arm64 => 183,
        };
        if self.machine == wanted {
            return Ok(self);
        }
        Err(NotForTarget {
            program: program.to_string(),
            architecture,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(machine: u16, kinds: &[u32]) -> Vec<u8> {
        let mut head = b"\x7fELF\x02\x01\x01".to_vec();
        head.resize(64, 0);
        head[18..20].copy_from_slice(&machine.to_le_bytes());
        head[32..40].copy_from_slice(&64_u64.to_le_bytes());
        head[54..56].copy_from_slice(&56_u16.to_le_bytes());
        head[56..58].copy_from_slice(&(kinds.len() as u16).to_le_bytes());
        for kind in kinds {
            let start = head.len();
            head.extend(kind.to_le_bytes());
            head.resize(start + 56, 0);
        }
        head
    }

    #[test]
    fn a_loader_makes_a_program_dynamic() {
        let dynamic = Elf::parse(&head(62, &[6, 3, 1])).unwrap();
        assert_eq!(dynamic.linkage, Linkage::Dynamic);
        let own = Elf::parse(&head(62, &[1, 1])).unwrap();
        assert_eq!(own.linkage, Linkage::Static);
        assert!(own.check("a", Architecture::Amd64).is_ok());
        let error = own.check("a", Architecture::Arm64).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a` was built for another processor than arm64"
        );
    }

    #[test]
    fn what_is_cut_off_or_no_program_is_no_elf() {
        let whole = head(183, &[1, 3]);
        for length in 0..whole.len() - 56 {
            assert_eq!(Elf::parse(&whole[..length]), None, "{length}");
        }
        assert_eq!(Elf::parse(b"#!/bin/sh\n"), None);
    }
}
