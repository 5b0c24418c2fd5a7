use serde_json::json;

use super::*;

fn mistake_of(values: Value) -> FieldError {
    let found = probe(values.as_object().expect("a table")).err().expect("a mistake");
    found.into_iter().next().expect("a mistake")
}

#[test]
fn mistakes() {
    for (values, message) in [
        (json!({}), "`command` is missing"),
        (json!({"command": []}), "the list is empty"),
        (json!({"command": [""]}), "the program has no name"),
        (json!({"command": ["a\0b"]}), "a text has a NUL character"),
        (json!({"command": ["a", "b\0"]}), "a text has a NUL character"),
        (json!({"command": ["./check"]}), "`./check` is not a full path"),
        (json!({"command": "a", "directory": "b"}), "`b` is not a full path"),
        (json!({"command": "a", "environment": {"A": "\0"}}), "a text has a NUL character"),
        (json!({"command": "a", "host": "http://db"}), "`http://db` is a URL"),
    ] {
        assert_eq!(mistake_of(values).message, message);
    }
    assert_eq!(mistake_of(json!({"command": ["./a"]})).path, [Step::Key("command".to_owned())]);
}

#[test]
fn the_target_has_no_arguments_and_the_host_is_the_one_asked_about() {
    let values = json!({"command": ["/usr/lib/check_x", "--password", "hunter2"]});
    let local = probe(values.as_object().expect("a table")).expect("right");
    assert_eq!((local.target().as_str(), local.host()), ("check_x", "localhost"));
    let values = json!({"command": "check_x", "host": "db.internal"});
    let remote = probe(values.as_object().expect("a table")).expect("right");
    assert_eq!((remote.target().as_str(), remote.host()), ("check_x (db.internal)", "db.internal"));
}

#[test]
fn output_that_is_cut_ends_before_a_cut_word() {
    let mut stdout = b"OK | a=1 b=".to_vec();
    stdout.resize(run::MAX_BYTES, b'9');
    let output = Output { stdout, stderr: Vec::new() };
    assert_eq!(output.text(), "OK | a=1");
    let output = Output { stdout: vec![b'9'; run::MAX_BYTES], stderr: Vec::new() };
    assert_eq!(output.text().len(), run::MAX_BYTES);
}

#[test]
fn both_outputs_are_evidence() {
    let all = |stdout: &str, stderr: &str| {
        let output = Output { stdout: stdout.into(), stderr: stderr.into() };
        String::from_utf8(output.all()).expect("text")
    };
    assert_eq!(all("a", "b"), "a\nb");
    assert_eq!(all("a\n", "b\n"), "a\nb\n");
    assert_eq!(all("", "b"), "b");
    assert_eq!(all("a", ""), "a");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use proptest::prelude::*;

    use super::*;

    fn ended(code: i32, stdout: &[u8], stderr: &str) -> Observation {
        let ended = Ended { status: ExitStatus::from_raw(code << 8), took: Duration::ZERO };
        let output = Output { stdout: stdout.to_vec(), stderr: stderr.into() };
        observed(Ok(ended), &output)
    }

    #[test]
    fn the_exit_code_decides() {
        let healthy = |text: &str| Outcome::Healthy(text.to_owned());
        let degraded = |text: &str| Outcome::Degraded(text.to_owned());
        let unhealthy = |text: &str| Outcome::Unhealthy(text.to_owned());
        for (code, stdout, stderr, outcome) in [
            (0, "OK - fine | a=1\nmore", "ignored", healthy("OK - fine")),
            (0, "", "", healthy("exit code 0, no output")),
            (0, "\n \n fine\n", "", healthy("fine")),
            (0, "| a=1", "warming up\nmore", healthy("warming up")),
            (1, "slow", "", degraded("slow")),
            (1, "", "", degraded("exit code 1, no output")),
            (2, "down", "", unhealthy("down")),
            (2, "", "", unhealthy("exit code 2, no output")),
            (3, "no idea", "", unhealthy("unknown (exit code 3): no idea")),
            (3, "DISK UNKNOWN: no idea", "", unhealthy("DISK UNKNOWN: no idea")),
            (3, "", "", unhealthy("unknown (exit code 3)")),
            (4, "what", "", unhealthy("exit code 4: what")),
            (127, "", "sh: nope: not found", unhealthy("exit code 127: sh: nope: not found")),
        ] {
            let seen = ended(code, stdout.as_bytes(), stderr);
            assert_eq!(seen.outcome, outcome, "{code} {stdout:?} {stderr:?}");
            let is_failure = matches!(seen.outcome, Outcome::Unhealthy(_));
            let printed = !format!("{stdout}{stderr}").is_empty();
            assert_eq!(seen.evidence.body.is_some(), is_failure && printed);
            assert_eq!(seen.response_time, Some(Duration::ZERO));
        }
    }

    #[test]
    fn a_signal_is_no_answer() {
        let status = ExitStatus::from_raw(11);
        let ended = Ended { status, took: Duration::ZERO };
        let output = Output { stdout: b"about to".to_vec(), stderr: Vec::new() };
        let seen = observed(Ok(ended), &output);
        let message = "ended by signal 11 (SIGSEGV): about to".to_owned();
        assert_eq!(seen.outcome, Outcome::Unhealthy(message));
        assert_eq!(seen.response_time, None);
    }

    #[test]
    fn figures_are_told_and_measured() {
        let seen = ended(0, b"OK | 'a b'=1.50ms;2;3 n=4 c=5c /=1KB", "");
        let told: Vec<_> = seen.metadata.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(told, ["perf_/=1024 B", "perf_a b=1.5 ms", "perf_c=5", "perf_n=4"]);
        let names: Vec<_> = seen.measurements.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["a b", "n", "c", "/"]);
    }

    proptest! {
        #[test]
        fn whatever_it_prints_is_told_in_one_short_line(
            code in 0..256,
            stdout in prop::collection::vec(any::<u8>(), 0..200),
            stderr in any::<String>(),
        ) {
            let seen = ended(code, &stdout, &stderr);
            let message = seen.outcome.message();
            prop_assert!(!message.is_empty() && !message.contains('\n'));
            prop_assert!(message.chars().count() < 250);
        }
    }
}
