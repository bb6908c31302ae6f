//! The book's `index.hbs` is mdBook's own with a few changes. They are listed here, and made by this test:
//! `BLESS=1 cargo test -p pages --test theme` writes the file anew, after an update of mdBook for instance.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is changed in mdBook's template: why, what stands there, what takes its place. Each must be found exactly once.
const CHANGES: [(&str, &str, &str); 4] = [
    (
        "a label may not have these attributes, and without script its name must be text",
        r#" title="Toggle Table of Contents" aria-label="Toggle Table of Contents" aria-controls="mdbook-sidebar">"#,
        r#" title="Toggle Table of Contents"><span class="vh">Table of contents</span>"#,
    ),
    (
        "a frame needs a name",
        r#"<iframe class="sidebar-iframe-outer""#,
        r#"<iframe class="sidebar-iframe-outer" title="Table of contents""#,
    ),
    (
        "the first thing that the keyboard reaches leads past the sidebar",
        "    <body>\n",
        "    <body>\n    <a class=\"skip\" href=\"#mdbook-content\">Skip to the page</a>\n",
    ),
    (
        "the label may not have this attribute either; pages.js gives it to the button that takes the label's place",
        "                    document.getElementById('mdbook-sidebar-toggle').setAttribute('aria-expanded', sidebar === 'visible');\n",
        "",
    ),
];

#[test]
fn the_template_is_mdbooks_with_our_changes() {
    let mut wanted = fs::read_to_string(stock_template()).expect("mdBook's own template can be read");
    for (why, from, to) in CHANGES {
        assert_eq!(
            wanted.matches(from).count(),
            1,
            "mdBook's index.hbs no longer has, exactly once, what we change because {why}:\n{from}\n\
             Look at the new template and mend the list in {}",
            file!()
        );
        wanted = wanted.replacen(from, to, 1);
    }
    let ours = root().join("book/theme/index.hbs");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&ours, &wanted).expect("our template can be written");
    }
    let found = fs::read_to_string(&ours).unwrap_or_default();
    assert!(
        found == wanted,
        "book/theme/index.hbs is not mdBook's template with the changes listed in {}; make it so with\n  \
         BLESS=1 cargo test -p pages --test theme",
        file!()
    );
}

/// The template in the source of the version of mdBook that the workspace builds with.
fn stock_template() -> PathBuf {
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo -vV names the host");
    // What only other systems need may not have been downloaded.
    let metadata = cargo(&["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("it lists packages");
    let mdbook = packages.iter().find(|package| package["name"] == "mdbook-html");
    let manifest = mdbook.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.expect("the workspace builds with mdbook-html");
    Path::new(manifest).with_file_name("front-end").join("templates/index.hbs")
}

/// Runs cargo in the workspace and returns what it printed.
fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo starts");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}
