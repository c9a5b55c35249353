//! Prints the JSON schema of `x-plimsoll`, for `schema/x-plimsoll.json`.
#![expect(clippy::print_stdout, reason = "a program of its own, not a library")]

fn main() {
    let schema = plimsoll_model::compose::extension_schema();
    println!("{schema:#}");
}
