//! Names: whatever a page names exists, and whatever exists is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use clap::Parser;
use grader::sheet::Sheet;
use lab::{Catalogue, CatalogueEntry};
use pages::{Kind, references};
use pulldown_cmark::{CodeBlockKind, Event, Tag};

use super::Report;
use super::markdown::{Page, line_of, pages};
use crate::cli::{Cli, Command};
use crate::exercises;
use crate::programs::{self, PREFIX, Program};
use crate::project::Project;
use crate::record::{self, Part};

pub(super) fn check(project: &Project, programs: &[Program], report: &mut Report) -> Result<()> {
    let known = Known::gather(project, programs)?;
    let pages = pages(project)?;
    let mut shown = BTreeSet::new();
    for page in &pages {
        shown.extend(known.check_references(page, report));
        known.check_code(project, page, report);
    }
    for file in ["README.md"].map(|name| project.root().join(name)).iter().filter(|file| file.is_file()) {
        known.check_code(project, &Page::read(project, file)?, report);
    }
    for (lesson, sheet) in &known.sheets {
        known.check_sheet(project, lesson, sheet, report)?;
    }
    known.check_contents(project, &pages, report)?;
    known.check_shown(project, &shown, report);
    known.check_kept(project, report)?;
    known.check_atlas(project, &pages, report);
    let experiments: usize = known.catalogues.values().map(|catalogue| catalogue.experiments.len()).sum();
    let causes: usize = known.catalogues.values().map(|catalogue| catalogue.atlas.len()).sum();
    let exercises: usize = known.sheets.values().map(|sheet| sheet.exercises.len()).sum();
    report.looked_at.push(match causes {
        0 => format!("{experiments} experiments and {exercises} exercises looked for in {} pages", pages.len()),
        _ => format!(
            "{experiments} experiments, {causes} causes of errnos and {exercises} exercises looked for in {} pages",
            pages.len()
        ),
    });
    Ok(())
}

/// All that can be named.
struct Known {
    packages: Vec<String>,
    /// By lesson.
    catalogues: BTreeMap<String, Catalogue>,
    /// By lesson.
    sheets: BTreeMap<String, Sheet>,
}

impl Known {
    fn gather(project: &Project, programs: &[Program]) -> Result<Known> {
        let mut catalogues = BTreeMap::new();
        for program in programs {
            catalogues.insert(program.lesson.clone(), program.catalogue()?);
        }
        Ok(Known { packages: programs::packages(project)?, catalogues, sheets: exercises::sheets(project)? })
    }

    fn has_program(&self, lesson: &str, name: &str) -> bool {
        let catalogue = self.catalogues.get(lesson);
        catalogue.is_some_and(|catalogue| catalogue.programs.iter().any(|program| program == name))
    }

    fn has_experiment(&self, lesson: &str, name: &str) -> bool {
        self.entries(lesson).any(|entry| entry.name == name)
    }

    /// A lesson's experiments, and then what it has for the atlas.
    fn entries(&self, lesson: &str) -> impl Iterator<Item = &CatalogueEntry> {
        let catalogues = self.catalogues.get(lesson).into_iter();
        catalogues.flat_map(|catalogue| catalogue.experiments.iter().chain(&catalogue.atlas))
    }

    fn has_exercise(&self, lesson: &str, name: &str) -> bool {
        self.sheets.get(lesson).is_some_and(|sheet| sheet.exercises.iter().any(|exercise| exercise.name() == name))
    }

    fn claims_errno(&self, lesson: &str, errno: &str) -> bool {
        self.entries(lesson).any(|entry| entry.errnos.iter().any(|claimed| claimed == errno))
    }

    /// All names of a kind, for advice: the nearest to what was written.
    fn nearest(&self, written: &str) -> String {
        let experiments = self
            .catalogues
            .keys()
            .flat_map(|lesson| self.entries(lesson).map(move |entry| format!("{lesson}/{}", entry.name)));
        let exercises =
            self.sheets.values().flat_map(|sheet| sheet.exercises.iter().map(|exercise| exercise.id.clone()));
        match exercises::nearest(written, experiments.chain(exercises)) {
            Some(name) => format!("Did you mean {name}?"),
            None => "Nothing has a name like it.".to_string(),
        }
    }

    /// The page's links to recordings and exercises. Returns the names of those that it shows.
    fn check_references(&self, page: &Page, report: &mut Report) -> Vec<String> {
        let mut shown = Vec::new();
        for reference in references(&page.text) {
            let Some(id) = reference.id() else { continue };
            let Some((lesson, name)) = id.split_once('/') else { continue };
            let (what, exists) = match reference.kind {
                Kind::Recording => ("experiment", self.has_experiment(lesson, name)),
                Kind::Exercise => ("exercise", self.has_exercise(lesson, name)),
                _ => continue,
            };
            if !exists {
                report.find(&page.file, reference.line, format!("there is no {what} {id}. {}", self.nearest(&id)));
            } else if reference.shown {
                shown.push(id);
            }
        }
        shown
    }

    /// What stands in code: commands, names of experiments and exercises, files.
    fn check_code(&self, project: &Project, page: &Page, report: &mut Report) {
        let mut in_block = false;
        for (line, event) in page.events() {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => in_block = info.starts_with("sh"),
                Event::End(pulldown_cmark::TagEnd::CodeBlock) => in_block = false,
                Event::Text(text) if in_block => {
                    for (offset, command) in text.lines().enumerate() {
                        self.check_words(project, &page.file, line + offset, command, report);
                    }
                }
                Event::Code(code) => self.check_words(project, &page.file, line, &code, report),
                _ => {}
            }
        }
    }

    fn check_words(&self, project: &Project, file: &Path, line: usize, code: &str, report: &mut Report) {
        // What follows a lone `#` is a comment.
        let words: Vec<&str> = code.split_whitespace().take_while(|word| *word != "#").collect();
        let fault = match words.as_slice() {
            ["cargo", "workbook", rest @ ..] => self.workbook_command(rest),
            ["cargo", command @ ("run" | "test" | "build" | "bench" | "doc"), rest @ ..] => {
                self.cargo_command(command, rest)
            }
            [word] => self.word(project, word),
            _ => None,
        };
        if let Some(fault) = fault {
            report.find(file, line, format!("`{code}`: {fault}"));
        }
    }

    /// `cargo workbook …`: by its own rules, and the names in it.
    fn workbook_command(&self, words: &[&str]) -> Option<String> {
        if words.iter().any(|word| is_placeholder(word)) {
            return None;
        }
        let cli = match Cli::try_parse_from(["cargo workbook"].iter().chain(words)) {
            Ok(cli) => cli,
            Err(error) if error.use_stderr() => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_string();
                return Some(format!("{first}. See `cargo workbook --help`"));
            }
            // `--help` and `--version` are no errors.
            Err(_) => return None,
        };
        match cli.command {
            Some(Command::Hint { exercise, .. }) => {
                let known = exercise.split_once('/').is_some_and(|(lesson, name)| self.has_exercise(lesson, name));
                (!known).then(|| format!("there is no exercise {exercise}. {}", self.nearest(&exercise)))
            }
            Some(Command::Errno { errno: Some(errno) }) => {
                (!self.in_the_atlas(&errno)).then(|| format!("no lesson has {errno} for the atlas"))
            }
            Some(Command::Record { what, .. }) => what.iter().find_map(|item| match item.split_once('/') {
                Some((lesson, name)) if self.has_experiment(lesson, name) => None,
                None if self.catalogues.contains_key(item) => None,
                _ => Some(format!("there is no {item} to record. {}", self.nearest(item))),
            }),
            _ => None,
        }
    }

    /// `cargo run -p lesson-bind -- port-in-use`, `cargo test -p lesson-bind any-port` and their like.
    fn cargo_command(&self, command: &str, words: &[&str]) -> Option<String> {
        let (before, after) = match words.iter().position(|word| *word == "--") {
            Some(at) => (&words[..at], &words[at + 1..]),
            None => (words, &words[words.len()..]),
        };
        let at = before.iter().position(|word| *word == "-p" || *word == "--package")?;
        let package = before.get(at + 1).filter(|package| !is_placeholder(package))?;
        if !self.packages.iter().any(|name| name == package) {
            return Some(format!("there is no package {package}. There are {}", self.packages.join(", ")));
        }
        let lesson = package.strip_prefix(PREFIX)?;
        let rest = before.get(at + 2..).unwrap_or_default();
        match command {
            // What stands behind the name of a lesson's own program is that program's affair.
            "run" if after.first().is_some_and(|word| self.has_program(lesson, word)) => None,
            "run" => after.iter().find_map(|word| self.lesson_argument(lesson, word)),
            "test" => {
                let is_value = |at: usize| at > 0 && TAKE_A_VALUE.contains(&rest[at - 1]);
                let filters = rest.iter().enumerate().filter(|(at, _)| !is_value(*at));
                filters.map(|(_, word)| word).find_map(|word| self.test_filter(lesson, word))
            }
            _ => None,
        }
    }

    fn lesson_argument(&self, lesson: &str, word: &str) -> Option<String> {
        let known = is_placeholder(word)
            || ["--list", "--json", "--help"].contains(&word)
            || self.has_experiment(lesson, word)
            || self.claims_errno(lesson, word);
        (!known).then(|| {
            let nearest = self.nearest(&format!("{lesson}/{word}"));
            format!("lesson {lesson} has no experiment {word}, and none that claims such an errno. {nearest}")
        })
    }

    fn test_filter(&self, lesson: &str, word: &str) -> Option<String> {
        if word.starts_with('-') || is_placeholder(word) {
            return None;
        }
        let known = self.sheets.get(lesson).is_some_and(|sheet| {
            sheet.exercises.iter().any(|exercise| {
                exercise.all_checks().any(|check| format!("{}::{}", exercise.id, check.name).contains(word))
            })
        });
        (!known).then(|| format!("no exercise or check of lesson {lesson} has a name like {word}"))
    }

    /// A single word: `bind/port-in-use`, `lesson-bind`, `lessons/bind/src/main.rs`.
    fn word(&self, project: &Project, word: &str) -> Option<String> {
        if is_placeholder(word) {
            return None;
        }
        if word.starts_with(PREFIX) {
            let known = self.packages.iter().any(|name| name == word);
            return (!known).then(|| format!("there is no package {word}"));
        }
        let (first, rest) = word.split_once('/')?;
        if ["book", "lessons"].contains(&first) {
            let exists = project.root().join(word).exists();
            return (!exists).then(|| "there is no such file or folder".to_string());
        }
        if self.catalogues.contains_key(first) && is_name(rest) {
            let known = self.has_experiment(first, rest) || self.has_exercise(first, rest);
            return (!known).then(|| format!("there is no such experiment or exercise. {}", self.nearest(word)));
        }
        None
    }

    /// What the texts of an exercise name.
    fn check_sheet(&self, project: &Project, lesson: &str, sheet: &Sheet, report: &mut Report) -> Result<()> {
        let file = exercises::file(project, lesson);
        let whole = Page::read(project, &file)?;
        for exercise in &sheet.exercises {
            let line = line_of(&whole.text, &format!("\"{}\"", exercise.id));
            if exercise.chapter() != lesson {
                let what = format!("exercise {} stands in the sheet of lesson {lesson}. Move it", exercise.id);
                report.find(&whole.file, line, what);
            }
            for text in std::iter::once(&exercise.task).chain(&exercise.hints) {
                let part = Page { file: whole.file.clone(), text: text.clone() };
                let mut found = Report::default();
                self.check_code(project, &part, &mut found);
                for finding in found.findings {
                    report.find(&whole.file, line, finding.what);
                }
            }
        }
        Ok(())
    }

    /// Every page stands in the table of contents, and every lesson has a chapter.
    fn check_contents(&self, project: &Project, pages: &[Page], report: &mut Report) -> Result<()> {
        let summary = Page::read(project, &project.book().join("SUMMARY.md"))?;
        let listed: BTreeSet<String> = summary.targets().into_iter().map(|(_, target)| target).collect();
        for page in pages {
            let name = page.file.strip_prefix("book").unwrap_or(&page.file).display().to_string();
            if !listed.contains(&name) {
                let what = "this page is not in the table of contents. Add it to book/SUMMARY.md, or remove it";
                report.find(&page.file, 1, what);
            }
        }
        for lesson in self.catalogues.keys() {
            if !listed.contains(&format!("{lesson}.md")) {
                let what = format!("lesson {lesson} has no chapter. Write book/{lesson}.md, and list it here");
                report.find(&summary.file, 1, what);
            }
        }
        Ok(())
    }

    /// Every experiment and every exercise is shown.
    fn check_shown(&self, project: &Project, shown: &BTreeSet<String>, report: &mut Report) {
        for (lesson, catalogue) in &self.catalogues {
            for experiment in &catalogue.experiments {
                let id = format!("{lesson}/{}", experiment.name);
                if !shown.contains(&id) {
                    let (file, line) = super::recordings::function(project, lesson, &experiment.name);
                    let what = format!(
                        "no chapter shows experiment {id}. Show it in book/{lesson}.md: \
                         [What happens](traces/{id}.json), alone in a paragraph; or remove it"
                    );
                    report.find(file, line, what);
                }
            }
        }
        for (lesson, sheet) in &self.sheets {
            let file = exercises::file(project, lesson);
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            for exercise in sheet.exercises.iter().filter(|exercise| !shown.contains(&exercise.id)) {
                let what = format!(
                    "no chapter shows exercise {}. Show it in book/{lesson}.md: \
                     [Exercise](../lessons/{lesson}/exercises.toml#{}), alone in a paragraph; or remove it",
                    exercise.id,
                    exercise.name()
                );
                let shown_file = file.strip_prefix(project.root()).unwrap_or(&file);
                report.find(shown_file, line_of(&text, &format!("\"{}\"", exercise.id)), what);
            }
        }
    }

    /// What a lesson has for the atlas: each has a name of its own and a function of that name (those that are injected may
    /// share one), and a page shows them all.
    fn check_atlas(&self, project: &Project, pages: &[Page], report: &mut Report) {
        let shown: BTreeSet<String> = pages
            .iter()
            .flat_map(|page| references(&page.text))
            .filter(|reference| reference.shown && reference.name.is_none())
            .filter_map(|reference| reference.atlas_of().map(str::to_string))
            .collect();
        for (lesson, catalogue) in &self.catalogues {
            let files = super::recordings::provocation_files(project, lesson);
            let texts: Vec<String> = files
                .iter()
                .map(|file| std::fs::read_to_string(project.root().join(file)).unwrap_or_default())
                .collect();
            for entry in &catalogue.atlas {
                let (file, line) = super::recordings::provocation(project, lesson, &entry.name);
                if self.entries(lesson).filter(|other| other.name == entry.name).count() > 1 {
                    let what = format!("{lesson} has {} more than once. Give one of them another name", entry.name);
                    report.find(&file, line, what);
                }
                let function = entry.name.replace('-', "_");
                let own = texts.iter().any(|text| text.contains(&format!("fn {function}(")));
                let injected = entry.atlas.as_ref().is_some_and(|atlas| atlas.injected.is_some());
                if !own && !injected {
                    let what = format!(
                        "{lesson}/{} has no function of its own name. Call it {function}, in {}",
                        entry.name,
                        files[0].display()
                    );
                    report.find(&file, line, what);
                }
            }
            if !catalogue.atlas.is_empty() && !shown.contains(lesson) {
                let what = format!(
                    "no page shows the errnos of lesson {lesson}. Write book/{lesson}-errnos.md with \
                     [All](traces/{lesson}/errnos/), alone in a paragraph"
                );
                report.find(&files[0], 1, what);
            }
        }
    }

    /// Whether a word is an errno of some lesson, by its name or number.
    fn in_the_atlas(&self, word: &str) -> bool {
        let name = match word.parse() {
            Ok(number) => lab::errno_name(number).unwrap_or_default(),
            Err(_) => word.to_ascii_uppercase(),
        };
        self.catalogues.values().flat_map(|catalogue| &catalogue.atlas).any(|entry| entry.errnos.contains(&name))
    }

    /// Every recording has an experiment.
    fn check_kept(&self, project: &Project, report: &mut Report) -> Result<()> {
        let names = |entries: &[CatalogueEntry], name: &str| entries.iter().any(|entry| entry.name == name);
        let stories = record::kept_of(project, Part::Story)?.into_iter().map(|kept| (Part::Story, kept));
        let atlas = record::kept_of(project, Part::Atlas)?.into_iter().map(|kept| (Part::Atlas, kept));
        for (part, (lesson, experiment, file)) in stories.chain(atlas) {
            let exists = self.catalogues.get(&lesson).is_some_and(|catalogue| match part {
                Part::Story => names(&catalogue.experiments, &experiment),
                Part::Atlas => names(&catalogue.atlas, &experiment),
            });
            if !exists {
                let file = file.strip_prefix(project.root()).unwrap_or(&file);
                let what = format!(
                    "there is no experiment {lesson}/{experiment} any more. `cargo workbook record` removes its recording"
                );
                report.find(file, 1, what);
            }
        }
        Ok(())
    }
}

/// Cargo's options whose value is a word of its own.
const TAKE_A_VALUE: [&str; 5] = ["--features", "-F", "--test", "--bin", "--target"];

/// Words that stand for whatever the reader puts there.
fn is_placeholder(word: &str) -> bool {
    word.contains(['…', '*'])
        || ["NAME", "ID", "LESSON", "EXPERIMENT", "EXERCISE", "ERRNO"].iter().any(|name| word.contains(name))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
