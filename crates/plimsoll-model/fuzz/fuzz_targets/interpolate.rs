//! Any template is filled or refused; doubled dollars give the text back.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use plimsoll_model::compose::interpolate;

fuzz_target!(|text: &str| {
    let values = BTreeMap::from([("A".to_owned(), "a".to_owned())]);
    let _ = interpolate(text, &values);
    assert_eq!(
        interpolate(&text.replace('$', "$$"), &values).ok().as_deref(),
        Some(text)
    );
});
