//! The JSON form of a trace comes back as it went.

mod common;

use common::{child, run};
use observer::{Guard, Injection, Trace};

#[test]
fn a_trace_survives_the_journey_to_json_and_back() {
    let observers = [
        child("calls"),
        child("dup"),
        child("pass"),
        child("pipe"),
        child("family"),
        child("stop"),
        child("accept3").inject(Injection::fail(&["accept4"], 2, libc::ECONNABORTED)),
        child("guard").guard(Guard::Loopback),
        child("hang").deadline(std::time::Duration::from_millis(500)),
    ];
    for observer in observers {
        let trace = run(observer).trace;
        let json = serde_json::to_string(&trace).expect("a trace can be written as JSON");
        let back: Trace = serde_json::from_str(&json).expect("and read again");
        assert_eq!(back, trace);
        let lines = |trace: &Trace| trace.events.iter().map(|event| event.line()).collect::<Vec<_>>();
        assert_eq!(lines(&back), lines(&trace));
    }
}

#[test]
fn the_documented_fields_are_there() {
    let trace = run(child("calls")).trace;
    let json = serde_json::to_value(&trace).expect("a trace can be written as JSON");
    assert!(json["machine"]["kernel"].is_string() && json["machine"]["architecture"].is_string());
    assert_eq!(json["ending"], serde_json::json!({ "how": "exited", "status": 0 }));
    let events = json["events"].as_array().expect("a list of events");
    let bind = events.iter().find(|event| event["name"] == "bind").expect("a bind");
    assert_eq!(bind["event"], "call");
    for field in ["pid", "tid", "at_us", "took_us"] {
        assert!(bind[field].is_u64(), "{field}: {bind}");
    }
    assert_eq!(bind["args"][1]["name"], "addr");
    assert_eq!(bind["args"][1]["value"]["address"]["family"], "inet");
    assert_eq!(bind["args"][1]["value"]["address"]["ip"], "127.0.0.1");
    assert_eq!(bind["outcome"], serde_json::json!({ "value": 0, "text": "0" }));
    assert_eq!(bind["socket"], 1);
    let failed = events.iter().find(|event| event["outcome"]["errno"] == "EBADF").expect("a failed call");
    assert_eq!(failed["outcome"]["value"], -1);
    let end = events.last().expect("an end");
    assert_eq!((&end["event"], &end["status"]), (&serde_json::json!("exited"), &serde_json::json!(0)));
}
