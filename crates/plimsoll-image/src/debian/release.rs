//! `Release`: the hashes of an archive's indexes, and how long they hold.

use std::time::{Duration, SystemTime};

use super::deb822::paragraphs;
use crate::Digest;

/// What a `Release` file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) codename: String,
    /// Released at.
    pub(super) date: SystemTime,
    /// Not to be believed after.
    pub(super) valid_until: Option<SystemTime>,
    pub(super) by_hash: bool,
    files: Vec<(String, Digest, u64)>,
}

impl Release {
    /// Reads the text; what is wrong with it otherwise.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let paragraph = paragraphs(text).next().ok_or("it is empty")?;
        let date = |name| {
            paragraph
                .get(name)
                .map(|text| parse_date(text).ok_or_else(|| format!("`{text}` is no date")))
        };
        let mut files = Vec::new();
        for line in paragraph
            .get("SHA256")
            .ok_or("it has no SHA256 hashes")?
            .lines()
        {
            let mut words = line.split_whitespace();
            if let (Some(hash), Some(size), Some(path)) = (words.next(), words.next(), words.next())
            {
                let digest = Digest::from_hex(hash).map_err(|error| error.to_string())?;
                let size = size.parse().map_err(|_| format!("`{size}` is no size"))?;
                files.push((path.to_owned(), digest, size));
            }
        }
        Ok(Self {
            codename: paragraph.get("Codename").unwrap_or_default().to_owned(),
            date: date("Date").ok_or("it has no date")??,
            valid_until: date("Valid-Until").transpose()?,
            by_hash: paragraph.get("Acquire-By-Hash") == Some("yes"),
            files,
        })
    }

    /// The hash and size of a file of the archive.
    pub(super) fn file(&self, path: &str) -> Option<(Digest, u64)> {
        self.files
            .iter()
            .find(|(candidate, ..)| candidate == path)
            .map(|(_, digest, size)| (*digest, *size))
    }
}

/// `Sat, 12 Sep 2026 07:55:41 UTC`; only UTC, which the format demands.
fn parse_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = text.split_whitespace();
    let (_, day, month, year, clock, zone) = (
        words.next()?,
        words.next()?.parse::<i64>().ok()?,
        words.next()?,
        words.next()?.parse::<i64>().ok()?,
        words.next()?,
        words.next()?,
    );
    if !["UTC", "GMT", "Z", "+0000"].contains(&zone)
        || !(1..=31).contains(&day)
        || !(1970..=9999).contains(&year)
    {
        return None;
    }
    let month = i64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()? + 1;
    let mut parts = clock.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = u64::try_from(days_since_epoch(year, month, day)).ok()?;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Days from 1970-01-01 in the Gregorian calendar, with years that begin in March.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        let time = parse_date(text)?;
        Some(
            time.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_secs(),
        )
    }

    #[test]
    fn reads_dates() {
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 UTC"), Some(0));
        assert_eq!(
            seconds("Sat, 12 Sep 2026 07:55:41 UTC"),
            Some(1_789_199_741)
        );
        assert_eq!(
            seconds("Thu, 29 Feb 2024 23:59:59 UTC"),
            Some(1_709_251_199)
        );
        assert_eq!(seconds("Sat, 12 Sep 2026 07:55:41 CEST"), None);
        assert_eq!(seconds("tomorrow"), None);
    }

    #[test]
    fn reads_hashes() {
        let hash = Digest::of(b"x");
        let text = format!(
            "Codename: trixie\nDate: Sat, 12 Sep 2026 07:55:41 UTC\nAcquire-By-Hash: yes\n\
             MD5Sum:\n 00 1 main/binary-amd64/Packages.xz\n\
             SHA256:\n {}  42 main/binary-amd64/Packages.xz\n",
            hash.hex()
        );
        let release = Release::parse(&text).unwrap();
        assert_eq!(
            release.file("main/binary-amd64/Packages.xz"),
            Some((hash, 42))
        );
        assert_eq!(release.file("other"), None);
        assert!(release.by_hash && release.valid_until.is_none());
        assert!(Release::parse("Codename: x\n").is_err());
    }
}
