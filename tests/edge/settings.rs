//! What stops a start.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{JWT_SECRET, Setup};

#[test]
fn settings_in_order_pass_the_check() {
    let (content, text) = Setup::new("[functions.hostile]\nallowed_hosts = [\"api.example.com\"]\n").check();
    assert!(content, "{text}");
}

#[test]
fn wrong_settings_stop_the_start_with_file_line_and_the_legal_values() {
    for (functions, line, legal) in [
        ("[functions.hostile]\nmemory = 5\n", 2, "`memory_mb`"),
        ("[functions.hostile]\ncpu_ms = 0\n", 2, "from 1 to 600000"),
        ("[functions.hostile]\n\nschedule = \"at noon\"\n", 3, "five fields of cron"),
        ("[hosts]\n[functions.hostile]\n", 1, "`host`"),
    ] {
        let (content, text) = Setup::new(functions).check();
        assert!(!content);
        assert!(text.contains(&format!("functions.toml:{line}:")) && text.contains(legal), "{text}");
    }
    let (content, text) =
        Setup::new("[functions.hostile]\n").config("[functions.hostile]\nverify = 1\n").check();
    assert!(!content && text.contains("config.toml:2:") && text.contains("`verify_jwt`"), "{text}");
}

#[test]
fn what_is_missing_stops_the_start_and_no_secret_is_in_the_message() {
    for (name, value) in [
        ("SUPABASE_URL", ""),
        ("SUPABASE_JWT_SECRET", "short-and-planted"),
        ("SUPABASE_DB_URL", "planted://no url"),
        ("SUPABASE_URL", "no url"),
    ] {
        let (content, text) = Setup::new("[functions.hostile]\n").variable(name, value).check();
        assert!(!content, "{name}={value}");
        assert!(!text.contains("planted") && !text.contains(JWT_SECRET), "{text}");
    }
}

#[test]
fn a_service_key_of_another_role_or_project_stops_the_start() {
    for key in [crate::support::ANON_KEY, "no.token.atall"] {
        let text =
            Setup::new("[functions.hostile]\n").variable("SUPABASE_SERVICE_ROLE_KEY", key).serve_fails();
        assert!(text.contains("SUPABASE_SERVICE_ROLE_KEY"), "{text}");
        assert!(!text.contains(key), "{text}");
    }
}

#[test]
fn a_component_that_is_none_stops_the_start() {
    let setup = Setup::new("[functions.hostile]\n");
    fs::write(setup.component("hostile"), "no component").unwrap();
    let (content, text) = setup.check();
    assert!(!content && text.contains("hostile.wasm"), "{text}");
}

#[test]
fn a_cache_that_others_can_write_stops_the_start() {
    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let (content, text) = Setup::new("[functions.hostile]\n").cache(open.path()).check();
    assert!(!content && text.contains("can be written by others"), "{text}");
}

#[test]
fn an_env_file_is_read_and_the_environment_goes_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("edge.env");
    fs::write(&file, format!("SUPABASE_JWT_SECRET=\"{JWT_SECRET}\"\nSUPABASE_URL=unused\n")).unwrap();
    let setup = || Setup::new("[functions.hostile]\n").without("SUPABASE_JWT_SECRET");
    assert!(!setup().check().0);
    let (content, text) = setup().argument(&format!("--env-file={}", file.display())).check();
    assert!(content, "{text}");
    fs::write(&file, "planted without a name\n").unwrap();
    let (content, text) = setup().argument(&format!("--env-file={}", file.display())).check();
    assert!(!content && !text.contains("planted"), "{text}");
}

#[test]
fn what_is_for_local_use_only_is_unknown_to_the_deployed_host() {
    for argument in ["--allow-host=127.0.0.1:1", "--local"] {
        let (content, text) = Setup::new("[functions.hostile]\n").argument(argument).check();
        assert!(!content && text.contains("unexpected argument"), "{text}");
    }
}
