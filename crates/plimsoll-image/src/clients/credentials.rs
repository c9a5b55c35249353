//! Credentials of an index, put into its address at the moment of a fetch: from the variables that
//! uv reads for an index with a name, else from `.netrc`.

use std::path::PathBuf;

use super::ClientSettings;

/// An address with the credentials that this machine holds for it. One that carries some already
/// keeps them.
pub(crate) fn with_credentials(settings: &ClientSettings, name: Option<&str>, url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_string();
    };
    let (authority, _) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return url.to_string();
    }
    match credentials(settings, name, authority) {
        Some((user, password)) => {
            let (user, password) = (quoted(&user), quoted(&password));
            format!("{scheme}://{user}:{password}@{rest}")
        }
        None => url.to_string(),
    }
}

fn credentials(
    settings: &ClientSettings,
    name: Option<&str>,
    authority: &str,
) -> Option<(String, String)> {
    name.and_then(|name| of_variables(settings, name))
        .or_else(|| of_netrc(settings, authority))
}

/// The variables that give uv the credentials of an index with a name, where this machine holds
/// some.
pub(crate) fn credential_variables(
    settings: &ClientSettings,
    name: &str,
    url: &str,
) -> Vec<(String, String)> {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    let [user_variable, password_variable] = variables_of(name);
    match credentials(settings, Some(name), authority) {
        Some((user, password)) => vec![(user_variable, user), (password_variable, password)],
        None => Vec::new(),
    }
}

/// `UV_INDEX_<NAME>_USERNAME` and `UV_INDEX_<NAME>_PASSWORD`.
fn variables_of(name: &str) -> [String; 2] {
    let name: String = name
        .chars()
        .map(|c| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_uppercase(),
            false => '_',
        })
        .collect();
    ["USERNAME", "PASSWORD"].map(|end| format!("UV_INDEX_{name}_{end}"))
}

fn of_variables(settings: &ClientSettings, name: &str) -> Option<(String, String)> {
    let names = variables_of(name);
    let [user, password] = names.each_ref().map(|name| settings.variable(name));
    (user.is_some() || password.is_some()).then(|| {
        let text = |value: Option<&str>| value.unwrap_or_default().to_string();
        (text(user), text(password))
    })
}

fn of_netrc(settings: &ClientSettings, authority: &str) -> Option<(String, String)> {
    let named = settings.variable("NETRC").map(PathBuf::from);
    let path = named.or_else(|| Some(settings.home.as_ref()?.join(".netrc")))?;
    let text = fs_err::read_to_string(path).ok()?;
    let host = authority.split(':').next().unwrap_or(authority);
    entry_of(&text, host)
}

/// The login and password of a host, or those of `default`.
fn entry_of(text: &str, host: &str) -> Option<(String, String)> {
    let mut words = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace);
    let (mut applies, mut login) = (false, String::new());
    while let Some(word) = words.next() {
        match word {
            "machine" => {
                applies = words.next() == Some(host);
                login.clear();
            }
            "default" => {
                applies = true;
                login.clear();
            }
            "login" => login = words.next()?.to_string(),
            "password" => {
                let password = words.next()?;
                if applies {
                    return Some((login, password.to_string()));
                }
            }
            _ => {}
        }
    }
    None
}

/// A part of an address's credentials, with what would end it written as its code.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            quoted.push_str(&format!("%{byte:02X}"));
        }
    }
    quoted
}

/// The same, read back.
pub(super) fn unquoted(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|code| std::str::from_utf8(code).ok())
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A text without the credentials that addresses in it carry.
pub(crate) fn without_any_credentials(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        clean.push_str(before);
        clean.push_str("://");
        let end = after
            .find(|c: char| c == '/' || c.is_whitespace() || "\"'\\;#".contains(c))
            .unwrap_or(after.len());
        let (authority, after) = after.split_at(end);
        clean.push_str(authority.rsplit('@').next().unwrap_or(authority));
        rest = after;
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_come_from_the_address_then_variables_then_netrc() {
        let home = tempfile::tempdir().unwrap();
        fs_err::write(
            home.path().join(".netrc"),
            "# machine a.example login x password y\nmachine b.example login me password p@ss\n\
             machine a.example\n  login you\n  password two\n",
        )
        .unwrap();
        let settings = ClientSettings {
            home: Some(home.path().to_path_buf()),
            variables: [("UV_INDEX_MY_OWN_PASSWORD".to_string(), "token".to_string())].into(),
            ..ClientSettings::default()
        };
        let with = |name, url| with_credentials(&settings, name, url);
        assert_eq!(
            with(None, "https://u:v@a.example/s"),
            "https://u:v@a.example/s"
        );
        assert_eq!(
            with(None, "https://b.example:8/s"),
            "https://me:p%40ss@b.example:8/s"
        );
        assert_eq!(
            with(None, "https://a.example/s"),
            "https://you:two@a.example/s"
        );
        assert_eq!(
            with(Some("my-own"), "https://a.example/s"),
            "https://:token@a.example/s"
        );
        assert_eq!(with(None, "https://c.example/s"), "https://c.example/s");
    }

    #[test]
    fn a_quoted_part_is_read_back_and_taken_out_of_a_text() {
        assert_eq!(unquoted(&quoted("p@ss%/ü")), "p@ss%/ü");
        assert_eq!(unquoted("50%"), "50%");
        let text = "a @ https://u:p%40@a.example/x\nb==1 --hash=x # me@b.example\nc @ git+ssh://git@c.example/y\n";
        assert_eq!(
            without_any_credentials(text),
            "a @ https://a.example/x\nb==1 --hash=x # me@b.example\nc @ git+ssh://c.example/y\n"
        );
    }
}
