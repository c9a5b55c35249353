//! Private keys under a password, as cosign keeps them: scrypt makes a key of the password, and
//! NaCl's secret box takes the PKCS #8 document.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::Aead as _;
use crypto_secretbox::{Key, KeyInit as _, Nonce, XSalsa20Poly1305};
use p256::elliptic_curve::rand_core::{OsRng, RngCore as _};
use plimsoll_diag::Secret;
use serde::{Deserialize, Serialize};

use super::SignatureError;

/// The names under which such keys have been written.
const LABELS: [&str; 2] = [
    "ENCRYPTED SIGSTORE PRIVATE KEY",
    "ENCRYPTED COSIGN PRIVATE KEY",
];

/// The cost of a guess: what cosign takes.
const COST: Scrypt = Scrypt {
    n: 65536,
    r: 8,
    p: 1,
};

/// The most memory that opening a key may take: `128 · N · r`.
const MOST_MEMORY: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
struct Sealed {
    kdf: Derivation,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Derivation {
    name: String,
    params: Scrypt,
    salt: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Scrypt {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// Whether a PEM text is a sealed key.
pub(super) fn is_sealed(pem: &str) -> bool {
    LABELS
        .iter()
        .any(|label| pem.contains(&format!("-----BEGIN {label}-----")))
}

/// Opens a sealed key: the PKCS #8 document.
pub(super) fn open(pem: &str, password: &Secret<String>) -> Result<Vec<u8>, SignatureError> {
    let unreadable = |reason: &str| SignatureError::Key(reason.to_owned());
    let body: String = pem
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let decode = |text: &str| {
        STANDARD
            .decode(text)
            .map_err(|_| unreadable("it is not base64"))
    };
    let sealed: Sealed = serde_json::from_slice(&decode(&body)?)
        .map_err(|error| SignatureError::Key(error.to_string()))?;
    if sealed.kdf.name != "scrypt" || sealed.cipher.name != "nacl/secretbox" {
        return Err(unreadable("it is sealed in an unknown way"));
    }
    let key = derive(password, &decode(&sealed.kdf.salt)?, sealed.kdf.params)?;
    let nonce = decode(&sealed.cipher.nonce)?;
    if nonce.len() != XSalsa20Poly1305::NONCE_SIZE {
        return Err(unreadable("its nonce has a wrong length"));
    }
    XSalsa20Poly1305::new(&key)
        .decrypt(
            Nonce::from_slice(&nonce),
            decode(&sealed.ciphertext)?.as_slice(),
        )
        .map_err(|_| SignatureError::Password)
}

/// Seals a PKCS #8 document.
pub(super) fn seal(document: &[u8], password: &Secret<String>) -> Result<String, SignatureError> {
    let mut salt = [0; 32];
    let mut nonce = [0; XSalsa20Poly1305::NONCE_SIZE];
    for bytes in [&mut salt[..], &mut nonce[..]] {
        OsRng
            .try_fill_bytes(bytes)
            .map_err(|error| SignatureError::Random(error.to_string()))?;
    }
    let key = derive(password, &salt, COST)?;
    let ciphertext = XSalsa20Poly1305::new(&key)
        .encrypt(Nonce::from_slice(&nonce), document)
        .map_err(|error| SignatureError::Key(error.to_string()))?;
    let sealed = Sealed {
        kdf: Derivation {
            name: "scrypt".to_owned(),
            params: COST,
            salt: STANDARD.encode(salt),
        },
        cipher: Cipher {
            name: "nacl/secretbox".to_owned(),
            nonce: STANDARD.encode(nonce),
        },
        ciphertext: STANDARD.encode(ciphertext),
    };
    let json = serde_json::to_vec(&sealed).expect("numbers and strings serialise");
    let body = STANDARD.encode(json);
    let label = LABELS[0];
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    Ok(pem)
}

fn derive(password: &Secret<String>, salt: &[u8], cost: Scrypt) -> Result<Key, SignatureError> {
    let wrong = || SignatureError::Key("its scrypt parameters are wrong".to_owned());
    let memory = cost.n.saturating_mul(128).saturating_mul(cost.r.into());
    if !cost.n.is_power_of_two() || memory > MOST_MEMORY {
        return Err(wrong());
    }
    let logarithm = u8::try_from(cost.n.trailing_zeros()).map_err(|_| wrong())?;
    let parameters = scrypt::Params::new(logarithm, cost.r, cost.p, 32).map_err(|_| wrong())?;
    let mut key = Key::default();
    scrypt::scrypt(password.expose().as_bytes(), salt, &parameters, &mut key)
        .map_err(|_| wrong())?;
    Ok(key)
}
