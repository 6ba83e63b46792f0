//! What the files may say, and what an error tells.

use super::*;

fn read(config: &str, functions: &str) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), config).unwrap();
    std::fs::write(folder.path().join("functions.toml"), functions).unwrap();
    Settings::read(&folder.path().join("config.toml"), &["hello".to_owned(), "other".to_owned()])
}

fn error(config: &str, functions: &str) -> String {
    format!("{:#}", read(config, functions).expect_err("the settings should be refused"))
}

#[test]
fn what_supabase_calls_its_own_is_left_alone() {
    let config =
        "project_id = \"x\"\n[api]\nport = 1\n[functions.hello]\nverify_jwt = false\nimport_map = \"./a\"\n";
    let settings = read(config, "").unwrap();
    let functions: BTreeMap<_, _> = settings.enabled().collect();
    assert!(!functions["hello"].gate.verify_jwt);
    assert!(functions["other"].gate.verify_jwt, "a token is asked for where nothing is set");
}

#[test]
fn a_disabled_function_is_not_served_and_needs_no_component() {
    let settings =
        read("[functions.other]\nenabled = false\n[functions.absent]\nenabled = false\n", "").unwrap();
    assert_eq!(settings.enabled().map(|(name, _)| name).collect::<Vec<_>>(), ["hello"]);
}

#[test]
fn an_unknown_key_is_refused_with_file_line_and_the_legal_keys() {
    let message = error("", "[functions.hello]\ncpu_ms = 5\ncpu_sm = 5\n");
    assert!(message.contains("functions.toml:3:"), "{message}");
    assert!(message.contains("unknown field `cpu_sm`") && message.contains("`memory_mb`"), "{message}");
    let message = error("a = 1\n[functions.hello]\nverify_jtw = false\n", "");
    assert!(message.contains("config.toml:3:") && message.contains("`verify_jwt`"), "{message}");
}

#[test]
fn a_value_out_of_range_is_refused_with_file_line_and_the_range() {
    for value in ["0", "601000", "-1", "\"many\"", "1.5", "true", "9223372036854775807"] {
        let message = error("", &format!("\n[functions.hello]\ncpu_ms = {value}\n"));
        assert!(message.contains("functions.toml:3:"), "{message}");
        assert!(message.contains("a whole number from 1 to 600000"), "{message}");
    }
}

#[test]
fn a_value_of_the_wrong_form_is_refused_with_file_line_and_the_form() {
    for (line, legal) in [
        ("schedule = \"hourly\"", "five fields of cron"),
        ("allowed_hosts = [\"https://a.example\"]", "expected a name or an address"),
        ("secrets = [\"SUPABASE_DB_URL\"]", "the host's to give"),
        ("listen = \"Robert'); drop\"", "a-z, 0-9 and _"),
        ("service_key = 1", "a boolean"),
    ] {
        let message = error("", &format!("[functions.hello]\n{line}\n"));
        assert!(message.contains("functions.toml:2:") && message.contains(legal), "{message}");
    }
}

#[test]
fn functions_that_share_commits_are_named_as_sql_names_them() {
    let settings = read("", "[host]\nshared_commits = [\"store_push\"]\n").unwrap();
    assert_eq!(settings.host.shared_commits, ["store_push".parse().unwrap()]);
    let message = error("", "[host]\nshared_commits = [\"public.store_push\"]\n");
    assert!(message.contains("functions.toml:2:") && message.contains("a-z, 0-9 and _"), "{message}");
}

#[test]
fn a_setting_for_a_function_that_is_not_there_is_refused() {
    for (config, functions) in [("[functions.helo]\n", ""), ("", "[functions.helo]\ncpu_ms = 1\n")] {
        let message = error(config, functions);
        assert!(message.contains(".toml:1:") && message.contains("hello, other"), "{message}");
    }
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_its_line() {
    assert!(error("[functions\n", "").contains("config.toml:1:"));
}
