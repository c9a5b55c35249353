//! The text of a user's file. Who reads a manifest or a list of requirements comes here.

/// The text that bytes are: UTF-8, unless the first of them say UTF-16, as they do where a shell of Windows wrote
/// the file (`pip freeze > requirements.txt`). The mark itself is no text.
pub fn text_of(bytes: Vec<u8>) -> String {
    let wide = |of: fn([u8; 2]) -> u16, rest: &[u8]| {
        let units: Vec<u16> = rest
            .chunks_exact(2)
            .map(|pair| of([pair[0], pair[1]]))
            .collect();
        String::from_utf16_lossy(&units)
    };
    match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => wide(u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => wide(u16::from_be_bytes, rest),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        // One wrong byte in a comment must not hide what the rest says.
        _ => String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_how_text_is_written() {
        let wide = |of: fn(u16) -> [u8; 2]| {
            let units = "\u{feff}tide=é\n".encode_utf16();
            units.flat_map(of).collect::<Vec<u8>>()
        };
        assert_eq!(text_of(wide(u16::to_le_bytes)), "tide=é\n");
        assert_eq!(text_of(wide(u16::to_be_bytes)), "tide=é\n");
        assert_eq!(text_of(b"\xef\xbb\xbftide\n".to_vec()), "tide\n");
        assert_eq!(text_of("tide=é\n".into()), "tide=é\n");
        assert_eq!(text_of(b"tide\xe9\n".to_vec()), "tide\u{fffd}\n");
    }
}
