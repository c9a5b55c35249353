//! How much of the disk builds may keep.

use std::str::FromStr;

use serde::Serialize;

/// How much what builds keep may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum CacheLimit {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the disk.
    Share(u8),
    /// As much as there is.
    None,
}

/// What a limit looks like, for whoever wrote it otherwise.
pub const CACHE_LIMIT_FORMS: &str = "write `20GB`, `10%` of the disk, or `none`";

impl FromStr for CacheLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self::None);
        }
        if let Some(share) = text.strip_suffix('%') {
            let share = share.trim_end().parse().ok();
            return share
                .filter(|share| (1..=100).contains(share))
                .map(Self::Share)
                .ok_or(CACHE_LIMIT_FORMS);
        }
        let unit = text.find(|c: char| c.is_ascii_alphabetic());
        let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
        // Decimal units as sizes are shown, binary ones for who writes them.
        let unit: u64 = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1000,
            "m" | "mb" => 1_000_000,
            "g" | "gb" => 1_000_000_000,
            "t" | "tb" => 1_000_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            _ => return Err(CACHE_LIMIT_FORMS),
        };
        let number: f64 = number.trim_end().parse().map_err(|_| CACHE_LIMIT_FORMS)?;
        let bytes = number * unit as f64;
        if !(0.0..=u64::MAX as f64).contains(&bytes) {
            return Err(CACHE_LIMIT_FORMS);
        }
        Ok(Self::Bytes(bytes as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_shares_and_none() {
        for (text, limit) in [
            ("20GB", CacheLimit::Bytes(20_000_000_000)),
            ("1.5 gib", CacheLimit::Bytes(3 << 29)),
            ("512m", CacheLimit::Bytes(512_000_000)),
            ("0", CacheLimit::Bytes(0)),
            (" 10 % ", CacheLimit::Share(10)),
            ("none", CacheLimit::None),
        ] {
            assert_eq!(text.parse(), Ok(limit), "{text}");
        }
        for text in [
            "",
            "GB",
            "-1GB",
            "0%",
            "101%",
            "1e400",
            "nan",
            "inf",
            "5 potatoes",
            "ten",
        ] {
            assert_eq!(text.parse::<CacheLimit>(), Err(CACHE_LIMIT_FORMS), "{text}");
        }
    }
}
