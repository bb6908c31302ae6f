//! The picture of a run at the top of the README: a terminal, drawn from a recording, so that it cannot lie either.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use lab::{End, Recording};
use observer::Event;

use crate::project::Project;
use crate::record;

/// The recording that the picture shows.
const LESSON: &str = "bind";
const EXPERIMENT: &str = "port-in-use";

/// One character's width and one line's height, in the picture's units.
const CHARACTER: f32 = 7.2;
const LINE: usize = 20;
const MARGIN: usize = 20;

const TEXT: &str = "#d6dde6";
const FAINT: &str = "#93a1b1";
const BOLD: &str = "#ffffff";
const CLIENT: &str = "#7cc0ff";
const SERVER: &str = "#ffb667";
const ERRNO: &str = "#ff9494";

/// Where the picture is kept.
pub fn file(project: &Project) -> PathBuf {
    project.book().join("figures/run.svg")
}

/// Draws the picture anew if it is not what the recording says. True if it was.
///
/// # Errors
/// If the recording cannot be read, or the picture cannot be written.
pub fn renew(project: &Project) -> Result<bool> {
    if is_fresh(project)? {
        return Ok(false);
    }
    let file = file(project);
    let drawn = draw(&record::read(&record::file(project, LESSON, record::Part::Story, EXPERIMENT))?);
    fs::write(&file, drawn).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(true)
}

/// Whether the picture shows the recording that is kept. Where there is no recording there is nothing to show.
///
/// # Errors
/// If the recording cannot be read.
pub fn is_fresh(project: &Project) -> Result<bool> {
    let recording = record::file(project, LESSON, record::Part::Story, EXPERIMENT);
    if !recording.exists() {
        return Ok(true);
    }
    Ok(fs::read_to_string(file(project))
        .is_ok_and(|old| Ok(old) == record::read(&recording).map(|r| draw(&r)).map_err(drop)))
}

/// The picture of a recording, as SVG.
fn draw(recording: &Recording) -> String {
    let lines = lines(recording);
    let columns = lines.iter().map(|line| line.iter().map(|(text, _)| text.chars().count()).sum::<usize>()).max();
    let width = (columns.unwrap_or(0) as f32 * CHARACTER) as usize + 2 * MARGIN;
    let height = lines.len() * LINE + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\">\n<title>A run of {LESSON}/{EXPERIMENT}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"#161b22\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"12\" \
         xml:space=\"preserve\">\n"
    );
    for (row, line) in lines.iter().enumerate() {
        let mut column = 0;
        for (text, colour) in line {
            let length = text.chars().count();
            if !text.trim().is_empty() {
                // The given length keeps the columns in line, whatever font the reader has.
                let _ = writeln!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{}\" fill=\"{colour}\" textLength=\"{:.1}\">{}</text>",
                    MARGIN as f32 + column as f32 * CHARACTER,
                    MARGIN + row * LINE + 14,
                    length as f32 * CHARACTER,
                    escaped(text)
                );
            }
            column += length;
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// The lines of the picture, each in pieces of one colour.
fn lines(recording: &Recording) -> Vec<Vec<(String, &'static str)>> {
    let command = format!("cargo run -p lesson-{LESSON} -- {EXPERIMENT}");
    let mut lines = vec![
        vec![("$ ".to_string(), FAINT), (command, BOLD)],
        vec![],
        vec![(format!("{LESSON}/{EXPERIMENT}"), BOLD)],
        vec![(recording.shows.clone(), TEXT)],
        vec![],
    ];
    for event in recording.trace.iter().flat_map(|trace| &trace.events) {
        lines.push(event_line(recording, event));
    }
    lines.push(vec![]);
    lines.push(vec![(recording.notice.clone(), TEXT)]);
    lines
}

fn event_line(recording: &Recording, event: &Event) -> Vec<(String, &'static str)> {
    let socket = event.call().and_then(|call| call.socket);
    let end = match socket.and_then(|socket| recording.ends.get(&socket)) {
        Some(End::Client) => ("  client  ".to_string(), CLIENT),
        Some(End::Server) => ("  server  ".to_string(), SERVER),
        None => ("          ".to_string(), FAINT),
    };
    let line = event.line();
    match event.call().filter(|call| call.errno().is_some()).and_then(|call| line.strip_suffix(&*call.outcome.text)) {
        Some(request) => vec![end, (request.to_string(), TEXT), (line[request.len()..].to_string(), ERRNO)],
        None => vec![end, (line, TEXT)],
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
