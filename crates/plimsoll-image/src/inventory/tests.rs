use super::scan::LayerFacts;
use super::*;
use crate::layer::{Attributes, END, FileSet, write_tar};

fn layer(files: &[(&str, &str)]) -> LayerFacts {
    let mut set = FileSet::new();
    for (path, content) in files {
        set.file(path, Attributes::FILE, *content).unwrap();
    }
    let mut bytes = Vec::new();
    write_tar(&set, &mut bytes).unwrap();
    bytes.extend(END);
    LayerFacts::read(bytes.as_slice()).unwrap()
}

fn inventory(layers: &[LayerFacts]) -> Inventory {
    let known = layers.iter().map(|_| InventoryLayer {
        diff_id: Digest::of(b""),
        bytes: 0,
    });
    Inventory::put_together(layers, known.collect())
}

fn shown(inventory: &Inventory) -> String {
    let components = inventory.components.iter().map(|entry| {
        format!(
            "{} layer {}, {} B, {} needs [{}]\n",
            entry.purl,
            entry.layer,
            entry.bytes,
            entry.licence.as_deref().unwrap_or("-"),
            entry.needs.join(" ")
        )
    });
    let unowned = inventory
        .unowned
        .iter()
        .map(|entry| format!("nobody's: {} {} B\n", entry.prefix, entry.bytes));
    components.chain(unowned).collect()
}

#[test]
fn packages_of_all_kinds_own_their_files() {
    let base = layer(&[
        ("etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n"),
        ("usr/lib/libc.so.6", "1234567890"),
        (
            "usr/share/doc/libc6/copyright",
            "Format: x\n\nFiles: *\nLicense: LGPL-2.1\n",
        ),
        (
            "var/lib/dpkg/status.d/libc6",
            "Package: libc6\nVersion: 2.41-1\nArchitecture: amd64\nSource: glibc\nDepends: tzdata\n",
        ),
        ("var/lib/dpkg/status.d/libc6.md5sums", "0  lib/libc.so.6\n"),
        (
            "var/lib/dpkg/status.d/tzdata",
            "Package: tzdata\nVersion: 1\nArchitecture: all\n",
        ),
    ]);
    let site = "app/.venv/lib/python3.13/site-packages";
    let packages = layer(&[
        (
            &format!("{site}/my_pkg-1.0.dist-info/METADATA"),
            "Name: My_Pkg\nVersion: 1.0\nLicense: MIT\nRequires-Dist: other\n",
        ),
        (
            &format!("{site}/my_pkg-1.0.dist-info/RECORD"),
            "my_pkg/a.py,,\n../../../bin/tool,,\n",
        ),
        (&format!("{site}/my_pkg/a.py"), "12345"),
        (
            &format!("{site}/my_pkg/__pycache__/a.cpython-313.pyc"),
            "123",
        ),
        ("app/.venv/bin/tool", "12"),
        (
            "app/node_modules/a/package.json",
            r#"{"name":"a","version":"1.0.0","license":"MIT","dependencies":{"@s/b":"1"}}"#,
        ),
        ("app/node_modules/a/x.js", "1234"),
        (
            "app/node_modules/a/node_modules/@s/b/package.json",
            r#"{"name":"@s/b","version":"1.1.0"}"#,
        ),
        (
            "app/node_modules/@s/b/package.json",
            r#"{"name":"@s/b","version":"2.0.0"}"#,
        ),
        ("app/main.py", "123456"),
    ]);
    insta::assert_snapshot!(shown(&inventory(&[base, packages])), @r"
    pkg:deb/debian/libc6@2.41-1?arch=amd64&distro=debian-13&upstream=glibc layer 0, 146 B, LGPL-2.1 needs [pkg:deb/debian/tzdata@1?arch=all&distro=debian-13]
    pkg:deb/debian/tzdata@1?arch=all&distro=debian-13 layer 0, 45 B, - needs []
    pkg:pypi/my-pkg@1.0 layer 1, 104 B, MIT needs []
    pkg:npm/%40s/b@1.1.0 layer 1, 33 B, - needs []
    pkg:npm/%40s/b@2.0.0 layer 1, 33 B, - needs []
    pkg:npm/a@1.0.0 layer 1, 78 B, MIT needs [pkg:npm/%40s/b@1.1.0]
    nobody's: app 6 B
    nobody's: etc 26 B
    ");
}

#[test]
fn what_a_higher_layer_hides_is_not_there() {
    let site = "usr/lib/python3/dist-packages";
    let metadata = format!("{site}/a-1.dist-info/METADATA");
    let old = layer(&[(&metadata, "Name: a\nVersion: 1\n")]);
    let hidden = layer(&[(&format!("{site}/.wh.a-1.dist-info"), "")]);
    assert_eq!(inventory(std::slice::from_ref(&old)).components.len(), 1);
    assert_eq!(inventory(&[old.clone(), hidden]).components, []);
    let opaque = layer(&[(&format!("{site}/.wh..wh..opq"), "")]);
    assert_eq!(inventory(&[old.clone(), opaque]).components, []);
    let newer = layer(&[(&metadata, "Name: a\nVersion: 2\n")]);
    let found = inventory(&[old, newer]).components;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].version.as_str(), found[0].layer), ("2", 1));
}

#[test]
fn an_interpreter_is_told_unless_a_package_brought_it() {
    let program = format!("\u{7f}ELF{}node.js/v24.21.0\0", "\0".repeat(64));
    let of = |path: &str, more: &[(&str, &str)]| {
        let mut set = FileSet::new();
        set.file(path, Attributes::PROGRAM, program.as_str())
            .unwrap();
        for (path, content) in more {
            set.file(path, Attributes::FILE, *content).unwrap();
        }
        let mut bytes = Vec::new();
        write_tar(&set, &mut bytes).unwrap();
        bytes.extend(END);
        shown(&inventory(&[LayerFacts::read(bytes.as_slice()).unwrap()]))
    };
    insta::assert_snapshot!(of("usr/local/bin/node", &[]), @"pkg:generic/node@24.21.0 layer 0, 85 B, - needs []");
    let package = [
        (
            "var/lib/dpkg/status.d/nodejs",
            "Package: nodejs\nVersion: 20.1-1\nArchitecture: amd64\n",
        ),
        ("var/lib/dpkg/status.d/nodejs.md5sums", "0  usr/bin/node\n"),
    ];
    insta::assert_snapshot!(of("usr/bin/node", &package), @"pkg:deb/debian/nodejs@20.1-1?arch=amd64 layer 0, 153 B, - needs []");
}
