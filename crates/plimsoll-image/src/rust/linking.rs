//! A linker and a compiler of C in the sandbox: Zig, behind programs that take what rustc and build
//! scripts say to GCC.

use std::path::Path;

use fs_err as fs;

use super::toolchain::Library;
use crate::compiled::{Target, Zig};
use crate::oci::Architecture;

/// Where the programs are in the sandbox.
pub(super) const PLACE: &str = "/plimsoll/linker";

/// Changes whenever programs are linked otherwise.
pub(super) const RULES: &str = "linking 1";

/// What a wrapper leaves out or says otherwise: Zig knows its own unwinder, and takes the
/// processor from us alone.
const FILTER: &str = r#"for argument do
  shift
  case $argument in
    -lgcc_s|-lgcc_eh) set -- "$@" -lunwind ;;
    --target=*|-march=armv*|-mtune=*|-m64|-Wl,--no-undefined-version|-Wl,--undefined-version) ;;
    *) set -- "$@" "$argument" ;;
  esac
done
"#;

fn file(part: &str, target: &str) -> String {
    format!("{part}-{target}")
}

/// Writes the programs for a target.
pub(super) fn write(
    directory: &Path,
    library: Library,
    architecture: Architecture,
) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let zig = match library {
        Library::Gnu => Target::Gnu(architecture),
        Library::Musl => Target::Musl(architecture),
    };
    let target = library.target(architecture);
    for part in ["cc", "c++"] {
        let call = Zig::command(part, zig).join(" ");
        let text = format!(
            "#!/bin/sh\n{FILTER}exec {call} -Wl,--build-id=none -Qunused-arguments \"$@\"\n"
        );
        let text = match library {
            Library::Gnu => text,
            // Programs are linked by Rust's own linker; this compiles C alone.
            Library::Musl => text.replace(" -Wl,--build-id=none", ""),
        };
        let path = directory.join(file(part, &target));
        fs::write(&path, text)?;
        fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    }
    for part in ["ar", "ranlib"] {
        let path = directory.join(part);
        fs::write(
            &path,
            format!("#!/bin/sh\nexec {} {part} \"$@\"\n", Zig::program()),
        )?;
        fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// What makes cargo and build scripts use the programs for a target.
pub(super) fn environment(library: Library, architecture: Architecture) -> Vec<(String, String)> {
    let target = library.target(architecture);
    let name = target.replace('-', "_");
    let program = |part: &str| format!("{PLACE}/{}", file(part, &target));
    let linker = match library {
        Library::Gnu => program("cc"),
        Library::Musl => "rust-lld".to_string(),
    };
    vec![
        (
            format!("CARGO_TARGET_{}_LINKER", name.to_ascii_uppercase()),
            linker,
        ),
        (format!("CC_{name}"), program("cc")),
        (format!("CXX_{name}"), program("c++")),
        (format!("AR_{name}"), format!("{PLACE}/ar")),
        (format!("RANLIB_{name}"), format!("{PLACE}/ranlib")),
    ]
}
