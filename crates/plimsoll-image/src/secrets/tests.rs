use std::collections::BTreeMap;

use super::*;
use crate::layer::{Attributes, FileSet};
use crate::oci::{Architecture, ImageConfig};
use crate::store::{Image, ImageLayer, NewImage, Store};

const VALUE: &str = "kD8/sE2+qP5 \"x";

fn image(store: &Store, files: &[(&str, Vec<u8>)], config: &ImageConfig) -> Image {
    let mut set = FileSet::new();
    for (path, content) in files {
        set.file(path, Attributes::FILE, content.clone()).unwrap();
    }
    let segment = store.put_segment("test", &set).unwrap();
    let layer = store.commit_layer(&[segment]).unwrap();
    store
        .put_image(&NewImage {
            reference: "test:latest",
            architecture: Architecture::Amd64,
            config,
            layers: &[ImageLayer {
                layer,
                created_by: "test".to_owned(),
            }],
            annotations: BTreeMap::new(),
        })
        .unwrap()
}

fn search(value: &str) -> SecretSearch {
    SecretSearch::new(&[KnownSecret {
        name: "secret db_password".to_owned(),
        value: Secret::new(value.to_owned()),
    }])
}

fn told(hits: &[SecretHit]) -> Vec<String> {
    hits.iter()
        .map(|hit| format!("{:?} at {}", hit.what, hit.place))
        .collect()
}

#[test]
fn a_known_value_is_found_in_every_form_and_place() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let mut far = vec![b'x'; (1 << 20) - 7];
    far.extend(VALUE.as_bytes());
    let files = [
        ("app/plain", format!("password = {VALUE}\n").into_bytes()),
        ("app/encoded", b"kD8%2FsE2%2BqP5%20%22x".to_vec()),
        ("app/base64", b"a0Q4L3NFMitxUDUgIng=".to_vec()),
        ("app/json", b"{\"p\":\"kD8/sE2+qP5 \\\"x\"}".to_vec()),
        ("app/across", far),
        ("app/other", b"kD8/sE2+qP5".to_vec()),
    ];
    let mut config = ImageConfig {
        environment: vec![("URL".to_owned(), format!("db://u:{VALUE}@h"))],
        ..ImageConfig::default()
    };
    config.labels.insert("note".to_owned(), VALUE.to_owned());
    let image = image(&store, &files, &config);
    let search = search(VALUE);
    let hits = search.search(&store, &image).unwrap();
    assert!(
        !format!("{hits:?} {search:?}").contains("sE2+qP5"),
        "the value is not shown"
    );
    insta::assert_snapshot!(told(&hits).join("\n"), @r#"
    Known("secret db_password") at `/app/across` in layer 1
    Known("secret db_password") at `/app/base64` in layer 1
    Known("secret db_password") at `/app/encoded` in layer 1
    Known("secret db_password") at `/app/json` in layer 1
    Known("secret db_password") at `/app/plain` in layer 1
    Known("secret db_password") at label `note` of its configuration
    Known("secret db_password") at variable `URL` of its configuration
    "#);
    assert!(
        !format!("{hits:?} {search:?}").contains("sE2+qP5"),
        "the value is not shown"
    );
}

#[test]
fn what_looks_like_a_token_is_told_in_own_files_only() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let token = format!("{}{}", "gh", "p_aB3dE5gH7jK9mN1pQ4sT6vW8yZ0cF2hL4nR6");
    let mut late = vec![b' '; (1 << 20) + 5000];
    late.extend(token.as_bytes());
    let files = [
        ("app/settings.py", format!("TOKEN = '{token}'").into_bytes()),
        ("app/late.bin", late),
        (
            "app/node_modules/a/package.json",
            br#"{"name":"a","version":"1"}"#.to_vec(),
        ),
        ("app/node_modules/a/test.js", token.clone().into_bytes()),
    ];
    let image = image(&store, &files, &ImageConfig::default());
    let nothing = SecretSearch::new(&[]);
    let first = told(&nothing.search(&store, &image).unwrap());
    assert_eq!(
        first,
        [
            "Shape(GithubToken) at `/app/late.bin` in layer 1",
            "Shape(GithubToken) at `/app/settings.py` in layer 1"
        ]
    );
    assert_eq!(told(&nothing.search(&store, &image).unwrap()), first);
}

#[test]
fn words_are_not_looked_for() {
    assert!(!is_particular("postgres"));
    assert!(!is_particular("s3cret"));
    assert!(is_particular("hunter2hunter2"));
    assert!(is_particular("correcthorsebatterystaple"));
    assert_eq!(search("changeme").vague(), ["secret db_password"]);
}

#[test]
fn a_build_cache_is_searched_for_more_than_images_hold() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let files = [("app/plain", format!("password = {VALUE}\n").into_bytes())];
    let image = image(&store, &files, &ImageConfig::default());
    let layer = image.layers[0].diff_id;
    let searched = |secret: &str| told(&search(secret).search_cache(&store).unwrap());
    store.remember("layers of it", &"x", &[layer]).unwrap();
    store
        .remember("steps with a build argument", &VALUE, &[])
        .unwrap();
    assert_eq!(
        searched(VALUE),
        [
            "Known(\"secret db_password\") at `/app/plain` in layer 1",
            "Known(\"secret db_password\") at the note on `steps with a build argument`",
        ]
    );
    assert!(searched("another-secret-9").is_empty());
}
