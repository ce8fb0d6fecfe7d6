//! Processes of a test's own.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use hsm::config::{Config, Settings};

/// Names the test that a child process runs, and which of its stages.
const CHILD: &str = "CLOUDHSM_TEST_CHILD";
const STAGE: &str = "CLOUDHSM_TEST_STAGE";
const HOME: &str = "CLOUDHSM_PKCS11_HOME";
/// After these seconds a child that hangs is ended, so that a deadlock is a failed test.
const PATIENCE: u32 = 240;

/// A temporary folder, 0700, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("cloudhsm-test-{}-{number}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&path).expect("a temporary folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The home folder of the HSM in a child process.
pub(crate) fn home() -> PathBuf {
    std::env::var_os(HOME).expect("only children have a home").into()
}

/// The configuration of a home, for a process that opens the HSM without loading the library.
pub(crate) fn config(home: &Path) -> Config {
    let settings = Settings::default();
    Config { home: home.to_owned(), file: PathBuf::new(), settings, cluster_ids: Vec::new(), remarks: Vec::new() }
}

/// Every file below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The permission bits of a path.
pub(crate) fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("the file is there").permissions().mode() & 0o7777
}

/// The name by which the test harness knows the test that made this closure.
fn test_name<F>(_: &F) -> String {
    let full = std::any::type_name::<F>();
    let (_, path) = full.split_once("::").expect("a path in this crate");
    path.trim_end_matches("::{{closure}}").to_owned()
}

/// Runs the body in a process of its own, in profile `cloudhsm` with a fresh home folder.
pub(crate) fn isolated(body: impl FnOnce()) {
    run_isolated("cloudhsm", body);
}

/// The same in profile `standard`.
pub(crate) fn isolated_standard(body: impl FnOnce()) {
    run_isolated("standard", body);
}

/// The same in profile `strict`.
pub(crate) fn isolated_strict(body: impl FnOnce()) {
    run_isolated("strict", body);
}

fn run_isolated<F: FnOnce()>(profile: &str, body: F) {
    isolated_with(profile, &[], body);
}

/// The same in any profile, with these variables in the environment.
pub(crate) fn isolated_with<F: FnOnce()>(profile: &str, variables: &[(&str, &str)], body: F) {
    let test = Test(test_name(&body));
    if std::env::var(CHILD).as_deref() == Ok(&test.0) {
        body();
        return;
    }
    let home = Folder::new();
    test.must(test.stage(profile, home.path(), "").envs(variables.iter().copied()));
}

/// Runs a test of several processes: the body gets the stage's name, `""` in the first process, which never loads the
/// library itself, and starts the others by [`Test::stage`].
pub(crate) fn staged<F: FnOnce(&str, &Test)>(body: F) {
    let test = Test(test_name(&body));
    let stage = match std::env::var(CHILD) {
        Ok(child) if child == test.0 => std::env::var(STAGE).unwrap_or_default(),
        _ => String::new(),
    };
    if !stage.is_empty() {
        // The harness has begun a line with the test's name.
        println!();
    }
    body(&stage, &test);
}

/// A test, as something that can run its stages in other processes.
pub(crate) struct Test(String);

impl Test {
    /// A command that runs one stage of this test.
    pub(crate) fn stage(&self, profile: &str, home: &Path, stage: &str) -> Command {
        self.stage_under(&[], profile, home, stage)
    }

    /// The same below another program, such as strace.
    pub(crate) fn stage_under(&self, wrapper: &[&str], profile: &str, home: &Path, stage: &str) -> Command {
        let own = std::env::current_exe().expect("the test's own path");
        let mut command = match wrapper {
            [] => Command::new(own),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(own);
                command
            }
        };
        command.args([&self.0, "--exact", "--nocapture", "--test-threads=1"]);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CLOUDHSM_PKCS11_") {
                command.env_remove(name);
            }
        }
        command.env(CHILD, &self.0).env(STAGE, stage).env(HOME, home).env("CLOUDHSM_PKCS11_PROFILE", profile);
        command
    }

    /// Runs one stage; its failure is this test's.
    pub(crate) fn run(&self, profile: &str, home: &Path, stage: &str) -> String {
        self.must(&mut self.stage(profile, home, stage))
    }

    /// Runs a command of [`Test::stage`]; its failure is this test's. The answer is what it wrote to stdout.
    pub(crate) fn must(&self, command: &mut Command) -> String {
        let output = command.output().expect("a child process");
        let said = told(&output);
        println!("{said}");
        for line in said.lines().filter(|line| line.starts_with("SKIP ")) {
            // Past the harness, which keeps back what a test that passes prints.
            drop(writeln!(std::io::stderr(), "{line}"));
        }
        let ran = said.contains("test result: ok. 1 passed");
        assert!(
            output.status.success() && ran,
            "{}: the child failed: {}{}",
            self.0,
            output.status,
            match output.status.signal() {
                Some(libc::SIGALRM) => " (it hung)",
                _ => "",
            }
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// What a process said.
pub(crate) fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Says why a test cannot run here; `tools/test` counts these lines.
pub(crate) fn skip(name: &str, cause: &str) {
    drop(writeln!(std::io::stderr(), "SKIP {name}: {cause}"));
}

/// Whether a program can be started.
pub(crate) fn there_is(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Ends this process if it hangs.
pub(crate) fn give_up_in_time() {
    give_up_after(PATIENCE);
}

/// The same after other seconds than usual.
pub(crate) fn give_up_after(seconds: u32) {
    // SAFETY: alarm has no conditions.
    unsafe { libc::alarm(seconds) };
}
