//! Chapters of a small project, expanded.

use std::fs;
use std::path::Path;

use mdbook_preprocessor::book::{Book, BookItem, Chapter};
use mdbook_preprocessor::config::Config;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use pages::Pages;
use tempfile::TempDir;

/// A project with one lesson, one recording and one exercise.
struct Project {
    folder: TempDir,
}

impl Project {
    fn new() -> Project {
        let project = Project { folder: tempfile::tempdir().expect("a folder for the project") };
        project.write(
            "lessons/bind/src/main.rs",
            "fn main() {}\n\n/// Asks twice.\nfn port_in_use() {\n    ask();\n}\n\nfn nix_form() {}\n",
        );
        project.write("lessons/bind/src/bind.py", "import socket\n");
        project.write("book/traces/bind/port-in-use.json", &recording("port-in-use"));
        project.write(
            "lessons/bind/exercises.toml",
            r##"
                [[exercise]]
                id = "bind/any-port"
                title = "A port"
                stars = 1
                signature = "pub fn bind_any_port() -> Result<(OwnedFd, u16), Errno>"
                task = "Bind."
                hints = ["one", "two", "three"]
                read = "bind.md#port-0"
                [[exercise.check]]
                name = "never_zero"
                asks = "the port is not 0"
                message = "It is 0."
                why = "0 is a wish."
            "##,
        );
        project
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("its folder is made");
        fs::write(path, text).expect("it is written");
    }

    /// Expands chapters given as (file, text), and returns their texts.
    fn expand(&self, chapters: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let item = |&(path, text): &(&str, &str)| {
            self.write(&format!("book/{path}"), text);
            BookItem::Chapter(Chapter::new(path, text.to_string(), path, vec![]))
        };
        let mut config = Config::default();
        config.book.src = "book".into();
        let context = PreprocessorContext::new(self.folder.path().to_path_buf(), config, "html".to_string());
        let book = Book::new_with_items(chapters.iter().map(item).collect());
        let book = Pages.run(&context, book).map_err(|error| format!("{error:#}"))?;
        Ok(book.chapters().map(|chapter| chapter.content.clone()).collect())
    }

    /// Expands one chapter, `bind.md`.
    fn page(&self, text: &str) -> Result<String, String> {
        self.expand(&[("bind.md", text)]).map(|mut pages| pages.remove(0))
    }

    /// What is wrong with one chapter.
    #[track_caller]
    fn fault(&self, text: &str) -> String {
        match self.page(text) {
            Ok(page) => panic!("nothing is wrong, it says, and gives\n{page}"),
            Err(fault) => fault,
        }
    }
}

/// A recording of two calls.
fn recording(experiment: &str) -> String {
    let call = |name: &str, result: serde_json::Value| {
        serde_json::json!({
            "pid": 7, "tid": 7, "at_us": 0, "took_us": 1, "event": "call",
            "name": name, "args": [{"name": "sockfd", "text": "3"}], "outcome": result, "socket": 1,
        })
    };
    serde_json::json!({
        "lesson": "bind", "experiment": experiment, "shows": "Shows it.", "notice": "Notice it.", "output": "", "outcome": 0,
        "trace": {
            "machine": {"kernel": "6.18.1", "architecture": "x86_64"},
            "events": [
                call("listen", serde_json::json!({"value": 0, "text": "0"})),
                call("bind", serde_json::json!({"value": -1, "errno": "EINVAL", "text": "-1 EINVAL (Invalid argument)"})),
            ],
            "ending": {"how": "exited", "status": 0},
        },
    })
    .to_string()
}

/// A recording for the atlas: bind gives EINVAL, and so does this of it.
fn cause(name: &str, entry: serde_json::Value) -> String {
    let mut recording: serde_json::Value = serde_json::from_str(&recording(name)).expect("it is JSON");
    recording["atlas"] = entry;
    (recording["shows"], recording["notice"]) = (format!("Why {name}.").into(), "Do \"this\".".into());
    recording.to_string()
}

/// The project with three causes, of which the source tells in another order than that of their names.
fn with_an_atlas() -> Project {
    let project = Project::new();
    for (name, entry) in [
        (
            "again",
            serde_json::json!({
                "errno": "EINVAL", "calls": ["bind"], "documented": ["bind(2)", "POSIX"], "needs": ["namespaces", "ipv6"],
                "remark": "The page says <more>.",
            }),
        ),
        ("strange", serde_json::json!({"errno": "EINVAL", "calls": ["bind"]})),
        (
            "never-seen",
            serde_json::json!({
                "errno": "ENOSR", "calls": ["bind", "bind6"], "documented": ["POSIX"],
                "injected": {"never": "there are no streams."},
            }),
        ),
    ] {
        project.write(&format!("book/traces/bind/errnos/{name}.json"), &cause(name, entry));
    }
    let described =
        ["strange", "again", "never-seen"].map(|name| format!("    name: \"{name}\",\n    play: ordinary,\n"));
    let functions = "fn strange() {\n    odd();\n}\n\nfn again() {}\n\nfn ordinary() {\n    as_ever();\n}\n";
    project.write("lessons/bind/src/errnos.rs", &format!("{}\n{functions}", described.concat()));
    project
}

#[test]
fn the_errnos_of_a_lesson_become_a_page_of_causes() {
    let chapters = [
        ("bind.md", "[In short](traces/bind/errnos/#list)\n"),
        ("bind-errnos.md", "# All\n\n[All](traces/bind/errnos/)\n"),
        (
            "atlas.md",
            "[The table](traces/#atlas)\n\n[Counted](traces/#atlas-counts)\n\n[Both](traces/#atlas-disagreements)\n",
        ),
        (
            "errnos.md",
            &format!(
                "{RUN}\n\n## EINVAL\n\n[Shown by](traces/#EINVAL)\n\nSee [it](traces/bind/errnos/#ENOSR), [all](traces/#atlas).\n"
            ),
        ),
    ];
    let pages = with_an_atlas().expand(&chapters).expect("nothing is missing");
    let [short, all, atlas, errnos] = pages.as_slice() else { panic!("there are four") };

    for part in [
        "<dt>Documented</dt>\n<dd><a href=\"bind-errnos.md#EINVAL\"><code>EINVAL</code></a> (<code>bind</code>)</dd>",
        "<dt>Documented, but never given</dt>\n<dd><a href=\"bind-errnos.md#ENOSR\"><code>ENOSR</code></a></dd>",
    ] {
        assert!(short.contains(part), "{part}\nis not in\n{short}");
    }
    for part in [
        "\n## EINVAL {#EINVAL}\n\n<p class=\"about\">“Invalid argument”, number 22, <strong>documented</strong>. See it \
         <a href=\"errnos.md#einval\">among the errnos of this book</a> and <a href=\"atlas.md#EINVAL\">in the atlas</a>.</p>",
        "<section class=\"trace cause\" id=\"bind/again\" aria-label=\"EINVAL: again\">\n\n### again\n\n<p>Why again.</p>",
        "<p><b>Cure:</b> Do “this”.</p>",
        "<dt>Documents</dt><dd>bind(2), POSIX</dd>",
        "<dt>Documents</dt><dd>none says so</dd>",
        "<dt>It takes</dt><dd>a network of its own, IPv6</dd>",
        "<b>Documents and kernel:</b> The page says &lt;more&gt;.</p>",
        "since the kernel never says it: there are no streams.</p>",
        "cargo run -p lesson-bind -- again</code>",
        "<samp>bind(3) = -1 EINVAL (Invalid argument)</samp></summary>",
        "<li id=\"bind/again@2\" class=\"failed\">",
        "<summary>The code</summary>\n\n```rust\nfn strange() {\n    odd();\n}\n```\n\n<p class=\"file\">From <code>lessons/bind/src/errnos.rs</code>",
        "fn ordinary() {\n    as_ever();",
        "<a href=\"traces/bind/errnos/again.json\">The recording</a>",
    ] {
        assert!(all.contains(part), "{part}\nis not in\n{all}");
    }
    assert!(all.find("### strange") < all.find("### again"), "they come in the order of the source:\n{all}");
    for part in [
        "<th scope=\"col\"><a href=\"bind-errnos.md\"><code>bind</code></a></th>",
        "<tr id=\"EINVAL\"><th scope=\"row\"><a href=\"errnos.md#einval\"><code>EINVAL</code></a>",
        "<td class=\"d\" data-needs=\"nothing network ipv6\"><a href=\"bind-errnos.md#EINVAL\">",
        "<span class=\"vh\">documented, 2 causes</span>",
        "<td class=\"n\" data-needs=\"injected\">",
        "<input type=\"radio\" name=\"atlas-need\" value=\"network\"> a network of its own</label>",
        "<strong>3 pairs of a call and an errno</strong>, with 3 causes in all. <strong>1</strong> of the pairs are provoked live",
        "<a href=\"bind-errnos.md#bind/again\"><code>EINVAL</code></a> from <code>bind</code>: The page says &lt;more&gt;.",
    ] {
        assert!(atlas.contains(part), "{part}\nis not in\n{atlas}");
    }
    for part in ["<a href=\"atlas.md#EINVAL\">the atlas</a>", "[it](bind-errnos.md#ENOSR), [all](atlas.md)."] {
        assert!(errnos.contains(part), "{part}\nis not in\n{errnos}");
    }
}

#[test]
fn an_atlas_that_is_not_recorded_yet_says_so() {
    let page = Project::new()
        .page("[All](traces/bind/errnos/)\n\n[In short](traces/bind/errnos/#list)\n\n[T](traces/#atlas)\n");
    let page = page.expect("that is no fault");
    assert_eq!(page.matches("Nothing is recorded of").count(), 3, "{page}");
}

#[test]
fn what_the_atlas_does_not_have_is_a_fault() {
    let book = with_an_atlas();
    assert!(book.fault("[x](traces/bind/errnos/#table)\n").contains("the atlas has no part"));
    assert!(book.fault("See [x](traces/bind/errnos/).\n").contains("no page shows that"));
    let fault = book.fault("[All](traces/bind/errnos/)\n\nSee [x](traces/bind/errnos/#EPERM).\n");
    assert!(fault.contains("EPERM is not in this part"), "{fault}");
    book.write("book/traces/bind/errnos/plain.json", &recording("plain"));
    assert!(book.fault("[All](traces/bind/errnos/)\n").contains("is not the recording of an errno's cause"));
}

const RUN: &str = "[Two](traces/bind/port-in-use.json)";

#[test]
fn links_by_themselves_become_what_they_name() {
    let text = format!(
        "# bind\n\n{RUN}\n\n[The code](../lessons/bind/src/main.rs#port_in_use)\n\n\
         [Exercise](../lessons/bind/exercises.toml#any-port)\n\n\
         > **Predict:** What?\n> - [ ] a :: no\n> - [x] b :: yes\n>\n> Because.\n\nThe end.\n"
    );
    let page = Project::new().page(&text).expect("nothing is missing");
    for part in [
        "# bind\n\n<section class=\"trace\" id=\"bind/port-in-use\"",
        "<p class=\"title\">Two</p>",
        "<figure class=\"code\" id=\"lessons/bind/src/main.rs:port_in_use\">",
        "```rust\n/// Asks twice.\nfn port_in_use() {\n    ask();\n}\n```",
        "<section class=\"exercise\" id=\"bind/any-port\"",
        "[Where the book explains it](bind.md#port-0)",
        "<form class=\"predict\"",
        "name=\"bind-1\"",
        "\n\nThe end.\n",
    ] {
        assert!(page.contains(part), "{part}\nis not in\n{page}");
    }
}

/// The runs behind a question are its answer, as far as the next heading or the next question.
#[test]
fn what_follows_a_question_answers_it() {
    let question = "> **Predict:** What?\n> - [ ] a :: no\n> - [x] b :: yes\n>\n> Because.\n\n";
    let answers = |text: &str| {
        let page = Project::new().page(text).expect("nothing is missing");
        let asked = page.split_once("<after-answer data-question=\"").map(|(_, rest)| rest.split_once('"').unwrap().0);
        asked.map(str::to_string)
    };
    assert_eq!(answers(&format!("# bind\n\n{question}Try it.\n\n{RUN}\n")), Some("bind-1".into()));
    assert_eq!(answers(&format!("# bind\n\n{question}{question}{RUN}\n")), Some("bind-2".into()));
    assert_eq!(answers(&format!("# bind\n\n{question}## Later\n\n{RUN}\n")), None);
    assert_eq!(answers(&format!("# bind\n\n{RUN}\n\n{question}")), None);
    assert_eq!(answers(&format!("# bind\n\n{question}[Two](traces/bind/port-in-use.json#1)\n")), None, "some lines");
}

#[test]
fn an_answer_is_not_told_in_front_of_the_run() {
    let question = "> **Predict:** What?\n> - [ ] a :: no\n> - [x] b :: yes\n>\n> See [errno](traces/bind/port-in-use.json#2).\n\n";
    let told = "It says [errno](traces/bind/port-in-use.json#2).\n\n";
    let fault = Project::new().fault(&format!("# bind\n\n{question}{told}{RUN}\n"));
    assert!(fault.contains("book/bind.md:9: this tells what happens in bind/port-in-use before"), "{fault}");
    let fault = Project::new().fault(&format!("# bind\n\n{told}{question}{RUN}\n"));
    assert!(fault.contains("book/bind.md:3: this tells what happens in bind/port-in-use before"), "{fault}");
    for fine in
        [format!("{question}{RUN}\n\n{told}"), format!("{told}## Now\n\n{question}{RUN}\n"), format!("{told}{RUN}\n")]
    {
        Project::new().page(&format!("# bind\n\n{fine}")).expect("nothing is told early");
    }
}

#[test]
fn code_links_in_one_paragraph_are_spellings_of_the_same() {
    let text = "[Python](../lessons/bind/src/bind.py)\n[nix](../lessons/bind/src/main.rs#nix_form)\n";
    let page = Project::new().page(text).expect("nothing is missing");
    assert!(page.starts_with("<div class=\"spellings\">"), "{page}");
    assert_eq!(page.matches("<figure").count(), 2, "{page}");
}

#[test]
fn running_text_quotes_and_leads_to_the_page_that_shows() {
    let text = "It says [errno](traces/bind/port-in-use.json#2), see [the *run*](traces/bind/port-in-use.json), \
                [the first call](traces/bind/port-in-use.json@1), [this](../lessons/bind/exercises.toml#any-port) and \
                [that](../lessons/bind/src/main.rs#nix_form).\n";
    let shows = format!("{RUN}\n\n[Exercise](../lessons/bind/exercises.toml#any-port)\n");
    let book = Project::new();
    let pages = book.expand(&[("errno.md", text), ("bind.md", &shows)]).expect("nothing is missing");
    assert_eq!(
        pages[0],
        "It says [<code>EINVAL</code>](bind.md#bind/port-in-use@2), see [the *run*](bind.md#bind/port-in-use), \
         [the first call](bind.md#bind/port-in-use@1), [this](bind.md#bind/any-port) and that.\n"
    );
    // On a page that shows it, the link stays there; from a folder below, it leads up.
    let pages = book.expand(&[("more/errno.md", "see [it](../traces/bind/port-in-use.json)"), ("bind.md", RUN)]);
    assert_eq!(pages.expect("nothing is missing")[0], "see [it](../bind.md#bind/port-in-use)");
    let page = book.page(&format!("{RUN}\n\nsee [it](traces/bind/port-in-use.json)")).expect("nothing is missing");
    assert!(page.contains("see [it](#bind/port-in-use)"), "{page}");
}

#[test]
fn a_run_shown_on_two_pages_is_looked_up_on_its_own() {
    let pages = Project::new()
        .expand(&[("introduction.md", RUN), ("bind.md", RUN), ("errno.md", "see [it](traces/bind/port-in-use.json)")])
        .expect("two pages may show it");
    assert_eq!(pages[2], "see [it](bind.md#bind/port-in-use)");
}

#[test]
fn lines_of_a_run_may_be_shown_again() {
    let page = Project::new().page(&format!("{RUN}\n\n[Again](traces/bind/port-in-use.json#2)\n"));
    let page = page.expect("nothing is missing");
    assert!(page.contains("<ol start=\"2\">"), "{page}");
    assert!(page.contains("Line 2 of <a href=\"#bind/port-in-use@2\">bind/port-in-use</a>"), "{page}");
}

#[test]
fn the_folder_of_recordings_becomes_a_list_of_what_shows_it() {
    let errnos = "## EINVAL\n\nIt makes no sense.\n\n[Shown by](traces/#EINVAL)\n";
    let calls = "## bind\n\n[Shown by](traces/#bind)\n\nIt may say [no](traces/#EINVAL).\n";
    let shows = format!(
        "{RUN}\n\n| errno | why |\n|---|---|\n| `EINVAL` | `EINVAL` |\n| `EPERM` | |\n| `EINVAL` twice | |\n\
                         | `EPERM`, `EINVAL` | |\n"
    );
    let pages = Project::new()
        .expand(&[("bind.md", &shows), ("errnos.md", errnos), ("more/calls.md", calls)])
        .expect("nothing is missing");
    let place = "<a href=\"bind.md#bind/port-in-use@2\">bind/port-in-use</a>: Shows it.";
    for (page, part) in [
        (1, "<a href=\"more/calls.md#bind\"><code>bind</code></a>"),
        (1, place),
        (2, "Errnos in this book: <a href=\"../errnos.md#einval\"><code>EINVAL</code></a>."),
        (2, &place.replace("bind.md", "../bind.md")),
        (2, "It may say [no](../errnos.md#einval)."),
        (
            0,
            "| [`EINVAL`](errnos.md#einval) | `EINVAL` |\n| `EPERM` | |\n| `EINVAL` twice | |\n\
             | `EPERM`, [`EINVAL`](errnos.md#einval) | |\n",
        ),
    ] {
        assert!(pages[page].contains(part), "{part}\nis not in\n{}", pages[page]);
    }
}

#[test]
fn a_call_of_the_code_may_be_quoted() {
    let book = Project::new();
    let text = "It is [ask(…)](../lessons/bind/src/main.rs#port_in_use).\n";
    let quoted = "<code>ask&#40;&#41;</code>";
    assert_eq!(book.page(text).expect("nothing is missing"), format!("It is {quoted}.\n"));
    let page = book.page(&format!("{text}\n[The code](../lessons/bind/src/main.rs#port_in_use)\n"));
    let page = page.expect("nothing is missing");
    assert!(page.starts_with(&format!("It is [{quoted}](#lessons/bind/src/main.rs:port_in_use).\n")), "{page}");
}

#[test]
fn what_is_missing_stops_the_build_and_is_named_with_its_line() {
    let book = Project::new();
    let fault = book.fault("# a\n\n[x](traces/bind/nothing.json)\n");
    assert!(fault.contains("book/bind.md:3: there is no recording bind/nothing"), "{fault}");
    assert!(fault.contains("cargo workbook record bind/nothing"), "{fault}");

    let fault = book.fault(&format!("{RUN}\n\nsee [errno](traces/bind/port-in-use.json#7)\n"));
    assert!(fault.contains("book/bind.md:3: there is no step 7: the trace has 2 lines"), "{fault}");

    let fault = book.fault(&format!("{RUN}\n\nsee [errno](traces/bind/port-in-use.json#1)\n"));
    assert!(fault.contains("step 1 of bind/port-in-use did not fail: it says `0`"), "{fault}");

    let fault = book.fault("see [it](traces/bind/port-in-use.json)\n");
    assert!(fault.contains("no page shows the recording bind/port-in-use"), "{fault}");

    let fault = book.fault(&format!("{RUN}\n\n{RUN}\n"));
    assert!(fault.contains("book/bind.md:3: this page shows bind/port-in-use already"), "{fault}");

    let fault = book.fault("[x](../lessons/bind/src/main.rs#port_in_us)\n");
    assert!(fault.contains("book/bind.md:1: no item `port_in_us` in lessons/bind/src/main.rs: it has"), "{fault}");

    let fault = book.fault("[x](../lessons/bind/src/nothing.rs)\n");
    assert!(fault.contains("lessons/bind/src/nothing.rs does not exist"), "{fault}");

    let fault = book.fault("[x](../../elsewhere.rs)\n");
    assert!(fault.contains("leads out of the project"), "{fault}");

    let fault = book.fault("[x](../lessons/bind/exercises.toml#port)\n");
    assert!(fault.contains("no exercise `port` in ../lessons/bind/exercises.toml: it has any-port"), "{fault}");

    let fault = book.fault("[x](../lessons/bind/exercises.toml)\n");
    assert!(fault.contains("which exercise? Add one of its names"), "{fault}");

    let fault = book.fault("see [x](../lessons/bind/exercises.toml#any-port)\n");
    assert!(fault.contains("no page shows the exercise bind/any-port"), "{fault}");

    let fault = book.fault("see [tell(…)](../lessons/bind/src/main.rs#port_in_use)\n");
    assert!(fault.contains("no call `tell(…)` in lessons/bind/src/main.rs:port_in_use"), "{fault}");

    let fault = book.fault(&format!("{RUN}\n\n[Shown by](traces/#EPERM)\n"));
    assert!(fault.contains("book/bind.md:3: no recording that the book shows has EPERM"), "{fault}");

    let fault = book.fault("see [it](traces/#EINVAL)\n");
    assert!(fault.contains("no page lists what shows EINVAL"), "{fault}");

    let fault = book.fault("a\n\n> **Predict:** What?\n> - [x] a :: b\n>\n> c\n");
    assert!(fault.contains("book/bind.md:3: this prediction has only one choice"), "{fault}");

    let fault = book.fault("a\n\n- [ ] a\n");
    assert!(fault.contains("book/bind.md:3: a list with boxes"), "{fault}");
}

#[test]
fn broken_files_are_named() {
    let book = Project::new();
    book.write("book/traces/bind/broken.json", "{}");
    let fault = book.fault("[x](traces/bind/broken.json)\n");
    assert!(fault.contains("traces/bind/broken.json is not a recording"), "{fault}");

    book.write("book/traces/bind/moved.json", &recording("port-in-use"));
    let fault = book.fault("[x](traces/bind/moved.json)\n");
    assert!(fault.contains("traces/bind/moved.json holds a recording of bind/port-in-use"), "{fault}");

    book.write("lessons/bind/exercises.toml", "[[exercise]]\n");
    let fault = book.fault("[x](../lessons/bind/exercises.toml#any-port)\n");
    assert!(fault.contains("../lessons/bind/exercises.toml: "), "{fault}");
}

#[test]
fn all_faults_of_the_book_are_reported_at_once() {
    let fault = Project::new()
        .expand(&[("a.md", "[x](traces/bind/one.json)\n\n[x](traces/bind/two.json)\n"), ("b.md", "[x](../x.rs)\n")])
        .expect_err("three things are missing");
    for part in ["book/a.md:1: ", "book/a.md:3: ", "book/b.md:1: "] {
        assert!(fault.contains(part), "{part} is not in\n{fault}");
    }
}

/// `links` has filled in the includes by then, so the chapter's text is longer than its file.
#[test]
fn faults_are_reported_with_the_line_of_the_file() {
    let book = Project::new();
    book.write("book/bind.md", "# a\n{{#include x.svg}}\n\n[x](traces/bind/no.json)\n");
    let mut chapter = Chapter::new("a", "# a\n<svg>\n</svg>\n\n[x](traces/bind/no.json)\n".into(), "bind.md", vec![]);
    chapter.source_path = Some("bind.md".into());
    let mut config = Config::default();
    config.book.src = "book".into();
    let context = PreprocessorContext::new(book.folder.path().to_path_buf(), config, "html".to_string());
    let fault = Pages.run(&context, Book::new_with_items(vec![BookItem::Chapter(chapter)])).expect_err("it is missing");
    assert!(format!("{fault:#}").contains("book/bind.md:4: "), "{fault:#}");
}

/// The command that `mdbook build` starts, with what mdBook sends to it.
#[test]
fn the_command_speaks_mdbooks_protocol() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let command = env!("CARGO_BIN_EXE_pages");
    let status =
        |renderer: &str| Command::new(command).args(["supports", renderer]).status().expect("it starts").code();
    assert_eq!((status("html"), status("epub")), (Some(0), Some(1)));

    let book = Project::new();
    let run = |text: &str| {
        let chapter = Chapter::new("bind", text.into(), "bind.md", vec![]);
        let context = serde_json::json!({
            "root": book.folder.path(), "config": {"book": {"src": "book"}}, "renderer": "html", "mdbook_version": "0.5.4",
        });
        let input = serde_json::json!([context, Book::new_with_items(vec![BookItem::Chapter(chapter)])]);
        let mut child = Command::new(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        child.stdin.take().expect("it reads").write_all(input.to_string().as_bytes()).expect("it reads all");
        child.wait_with_output().expect("it ends")
    };
    let output = run(RUN);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expanded: Book = serde_json::from_slice(&output.stdout).expect("it prints a book");
    let first = expanded.chapters().next().expect("with its chapter");
    assert!(first.content.contains("<section class=\"trace\""), "{}", first.content);

    let output = run("[x](traces/bind/no.json)");
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("book/bind.md:1: there is no recording bind/no"), "{complaint}");
}

/// The book's own configuration names this preprocessor, after the includes.
#[test]
fn the_book_calls_this_preprocessor() {
    #[derive(serde::Deserialize)]
    struct Table {
        command: String,
        after: Vec<String>,
    }
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../book.toml");
    let config = Config::from_disk(book).expect("book.toml can be read");
    let table: Option<Table> = config.get("preprocessor.pages").expect("it has the right form");
    let table = table.expect("book.toml has a table [preprocessor.pages]");
    assert_eq!(Pages.name(), "pages");
    assert_eq!(table.after, ["links"]);
    assert_eq!(table.command, "cargo run -q -p pages --");
}
