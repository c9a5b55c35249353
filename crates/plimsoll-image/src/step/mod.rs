//! What build steps of every language share: scratch directories and what a fetching step sees
//! of this machine.

pub(crate) mod fetching;
pub(crate) mod kept;
pub(crate) mod scratch;
