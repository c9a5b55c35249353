use plimsoll_diag::Secret;

use super::*;
use crate::Digest;

fn password(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

#[test]
fn what_was_signed_verifies_and_nothing_else() {
    let key = PrivateKey::generate();
    let digest = Digest::of(b"manifest");
    let bundle = sign_statement(&Statement::of_image(&digest), &key);
    assert_eq!(bundle, sign_statement(&Statement::of_image(&digest), &key));
    let statement = verify(&bundle, &key.public(), &digest).unwrap();
    assert_eq!(statement.predicate_type, COSIGN_SIGN);
    let other = PrivateKey::generate().public();
    assert!(matches!(
        verify(&bundle, &other, &digest),
        Err(SignatureError::Mismatch)
    ));
    assert!(matches!(
        verify(&bundle, &key.public(), &Digest::of(b"other")),
        Err(SignatureError::OtherSubject { .. })
    ));
    let text = String::from_utf8(bundle).unwrap();
    let changed = text.replacen("\"payload\":\"", "\"payload\":\"AAAA", 1);
    assert!(verify(changed.as_bytes(), &key.public(), &digest).is_err());
}

#[test]
fn a_sealed_key_opens_with_its_password_only() {
    let key = PrivateKey::generate();
    let pem = key.to_sealed_pem(&password("secret")).unwrap();
    let opened = PrivateKey::from_pem(&pem, &password("secret")).unwrap();
    assert_eq!(opened.public(), key.public());
    assert!(matches!(
        PrivateKey::from_pem(&pem, &password("other")),
        Err(SignatureError::Password)
    ));
    let read = PublicKey::from_pem(&key.public().to_pem()).unwrap();
    assert_eq!(read.hint(), key.public().hint());
}

/// Keys of RFC 8410 and of `openssl ecparam -name prime256v1 -genkey`, made for this test.
#[test]
fn keys_of_openssl_are_read() {
    let edwards = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";
    let key = PrivateKey::from_pem(edwards, &password("")).unwrap();
    assert_eq!(
        key.public().to_pem(),
        "-----BEGIN PUBLIC KEY-----\n\
         MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
         -----END PUBLIC KEY-----\n"
    );
    let digest = Digest::of(b"manifest");
    let bundle = sign_statement(&Statement::of_image(&digest), &key);
    assert!(verify(&bundle, &key.public(), &digest).is_ok());
    let error = PrivateKey::from_pem("nothing", &password("")).unwrap_err();
    assert!(error.to_string().contains("P-256"), "{error}");
}
