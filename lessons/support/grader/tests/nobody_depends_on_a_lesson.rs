//! A plain `cargo test` at the root of the workspace must grade the students' pages.
//!
//! Cargo unifies features: if any package depended on a lesson with its feature `solutions` on, building the workspace would
//! put the answers in the place of that lesson's page, and a page that is not written yet would be green.

use std::process::Command;

use serde_json::Value;

#[test]
fn no_package_depends_on_a_lesson() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("a list of packages");
    assert!(packages.iter().any(|package| is_lesson(&package["name"])), "cargo metadata knows no lesson");
    let mut offenders = Vec::new();
    for package in packages {
        let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
        for dependency in dependencies.iter().filter(|dependency| is_lesson(&dependency["name"])) {
            offenders.push(format!("{} depends on {}", package["name"], dependency["name"]));
        }
    }
    assert!(
        offenders.is_empty(),
        "no package may depend on a lesson: what others need of it belongs in a library of its own. {}",
        offenders.join("; ")
    );
}

#[test]
fn no_lesson_has_its_solutions_on_by_default() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("a list of packages");
    for package in packages.iter().filter(|package| is_lesson(&package["name"])) {
        let default = package["features"]["default"].as_array().map_or(0, Vec::len);
        assert_eq!(default, 0, "{} has default features: its page must be graded without any", package["name"]);
    }
}

fn is_lesson(name: &Value) -> bool {
    name.as_str().is_some_and(|name| name.starts_with("lesson-") || name.starts_with("beyond-"))
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}
