//! The book's `index.hbs` is mdBook's own with a few changes, and its `highlight.js` is mdBook's own with fewer languages.
//! What is changed is listed here, and made by these tests: `BLESS=1 cargo test -p pages --test theme` writes the files
//! anew, after an update of mdBook for instance.

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
    let mut wanted = stock("templates/index.hbs");
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
    is_ours("book/theme/index.hbs", &wanted);
}

/// The languages of the book's code, those of a terminal and of configuration files, and what these build on. The others
/// are three quarters of what a page would load for it.
const LANGUAGES: [&str; 10] = ["bash", "c-like", "c", "diff", "ini", "json", "plaintext", "python", "rust", "shell"];

#[test]
fn the_highlighter_is_mdbooks_with_fewer_languages() {
    let mut found = Vec::new();
    let stock = stock("js/highlight.js");
    let wanted: Vec<&str> = stock
        .split('\n')
        .filter(|line| match language(line) {
            None => true,
            Some(language) => {
                LANGUAGES.contains(&language) && {
                    found.push(language);
                    true
                }
            }
        })
        .collect();
    assert_eq!(found, LANGUAGES, "mdBook's highlight.js no longer has the languages that are listed in {}", file!());
    is_ours("book/theme/highlight.js", &wanted.join("\n"));
}

/// The language that a line of highlight.js is all about.
fn language(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("hljs.registerLanguage(\"")?.split_once('"')?;
    Some(name)
}

/// Holds a file of the theme against what it should be, or makes it so.
fn is_ours(file: &str, wanted: &str) {
    let ours = root().join(file);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&ours, wanted).expect("a file of the theme can be written");
    }
    let found = fs::read_to_string(&ours).unwrap_or_default();
    assert!(
        found == wanted,
        "{file} is not mdBook's own with the changes listed in {}; make it so with\n  BLESS=1 cargo test -p pages --test theme",
        file!()
    );
}

/// A file of the front end in the source of the version of mdBook that the workspace builds with.
fn stock(file: &str) -> String {
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo -vV names the host");
    // What only other systems need may not have been downloaded.
    let metadata = cargo(&["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("it lists packages");
    let mdbook = packages.iter().find(|package| package["name"] == "mdbook-html");
    let manifest = mdbook.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.expect("the workspace builds with mdbook-html");
    let path = Path::new(manifest).with_file_name("front-end").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("mdBook's own {file} cannot be read: {error}"))
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
