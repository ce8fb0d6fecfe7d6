//! How a test starts its child, what it hears from it, and a healthy HSM to spoil.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::child;

pub(crate) const OK: u64 = 0;
pub(crate) const FUNCTION_FAILED: u64 = 0x06;
pub(crate) const DEVICE_ERROR: u64 = 0x30;
pub(crate) const PIN_INCORRECT: u64 = 0xA0;
pub(crate) const USER_PIN_NOT_INITIALIZED: u64 = 0x102;
/// `EACCES`.
pub(crate) const DENIED: &str = "13";

/// The account that owns nothing (`nobody` on every Linux that this library is built for).
pub(crate) const NOBODY: u32 = 65534;

/// A folder that is removed when the test ends; other accounts may pass through it.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("cloudhsm-setups-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        set_mode(&path, 0o755);
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A folder in it with this owner, group and mode.
    pub(crate) fn folder(&self, name: &str, user: u32, group: u32, mode: u32) -> PathBuf {
        let path = self.join(name);
        fs::create_dir(&path).unwrap();
        if is_root() {
            give(&path, user, group);
        }
        set_mode(&path, mode);
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn give(path: &Path, user: u32, group: u32) {
    std::os::unix::fs::lchown(path, Some(user), Some(group)).unwrap();
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Whether the test can run as other accounts; says why not.
pub(crate) fn root_or_skip(name: &str) -> bool {
    if !is_root() {
        println!("SKIP {name}: only root can run a child as another account");
        return false;
    }
    let probe = Run::new(Path::new("/nonexistent")).user(NOBODY, NOBODY).steps("read /nonexistent").status();
    if probe != Some(0) {
        println!("SKIP {name}: the account {NOBODY} cannot run a program in {}", std::env::temp_dir().display());
    }
    probe == Some(0)
}

/// The test binary and the library where every account can reach them.
pub(crate) fn staged() -> &'static (PathBuf, PathBuf) {
    static STAGED: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    STAGED.get_or_init(|| {
        let library = std::env::var_os("CLOUDHSM_TEST_LIBRARY").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/libcloudhsm_pkcs11.so"),
            PathBuf::from,
        );
        assert!(library.is_file(), "{}: build it first: cargo build --release", library.display());
        sweep();
        // New, because what root runs must not have been put there by another account.
        let folder = std::env::temp_dir().join(format!("{STAGE}{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        set_mode(&folder, 0o755);
        let copy = |from: &Path, name: &str| {
            let to = folder.join(name);
            fs::copy(from, &to).unwrap();
            set_mode(&to, 0o755);
            to
        };
        (copy(&std::env::current_exe().unwrap(), "child"), copy(&library, "library.so"))
    })
}

/// The folder of the copies, followed by the number of the process that made it.
const STAGE: &str = "cloudhsm-setups-stage-";

/// Removes the copies of runs that are over, because a static is never dropped.
fn sweep() {
    let own = fs::metadata("/proc/self").unwrap().uid();
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.strip_prefix(STAGE)) else { continue };
        let mine = fs::symlink_metadata(entry.path()).is_ok_and(|status| status.uid() == own && status.is_dir());
        if mine && process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists() {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// A child to be started.
pub(crate) struct Run {
    environment: Vec<(OsString, OsString)>,
    account: Option<(u32, u32)>,
    steps: String,
    mounts: Option<String>,
    stderr: Option<fs::File>,
}

impl Run {
    /// A child with nothing in its environment but the home of the HSMs.
    pub(crate) fn new(home: &Path) -> Self {
        Self::bare().set("CLOUDHSM_PKCS11_HOME", home)
    }

    /// A child with nothing in its environment but where to find programs.
    pub(crate) fn bare() -> Self {
        Self { environment: Vec::new(), account: None, steps: String::new(), mounts: None, stderr: None }
            .set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    }

    pub(crate) fn set(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs as this user, with this group and no other.
    pub(crate) fn user(mut self, user: u32, group: u32) -> Self {
        self.account = Some((user, group));
        self
    }

    /// Runs after this shell command in mounts of its own, which nobody else sees and which end with it.
    pub(crate) fn mounts(mut self, command: &str) -> Self {
        self.mounts = Some(command.to_owned());
        self
    }

    pub(crate) fn steps(mut self, steps: &str) -> Self {
        steps.clone_into(&mut self.steps);
        self
    }

    /// Runs with this file as stderr, as a shell would put it there.
    pub(crate) fn stderr(mut self, file: fs::File) -> Self {
        self.stderr = Some(file);
        self
    }

    pub(crate) fn start(&self) -> Running {
        let (binary, library) = staged();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let answers = std::env::temp_dir().join(format!("cloudhsm-answers-{}-{number}", std::process::id()));
        fs::write(&answers, "").unwrap();
        set_mode(&answers, 0o666);
        let mut command = match &self.mounts {
            None => Command::new(binary),
            Some(mounts) => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "sh", "-c", &format!("{mounts} && exec \"$0\" \"$@\"")]).arg(binary);
                command
            }
        };
        command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env(child::STEPS, &self.steps).env(child::LIBRARY, library).env(child::ANSWERS, &answers);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(self.stderr.as_ref().map_or_else(Stdio::piped, |file| file.try_clone().unwrap().into()));
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        Running { process: command.spawn(), answers }
    }

    /// Runs the child to its end, which must be a good one.
    pub(crate) fn run(&self) -> Outcome {
        let outcome = self.start().end();
        assert!(outcome.ended_well, "the child failed at {:?} of {}: {outcome:?}", outcome.answers.len(), self.steps);
        outcome
    }

    fn status(&self) -> Option<i32> {
        let mut running = self.start();
        let status = running.process.as_mut().ok()?.wait().ok()?.code();
        drop(fs::remove_file(&running.answers));
        status
    }
}

/// A child that was started.
pub(crate) struct Running {
    process: std::io::Result<Child>,
    answers: PathBuf,
}

impl Running {
    pub(crate) fn end(self) -> Outcome {
        let output = self.process.unwrap().wait_with_output().unwrap();
        let answers = fs::read_to_string(&self.answers).unwrap();
        drop(fs::remove_file(&self.answers));
        let answers = answers.lines().filter_map(|line| line.strip_prefix('@')?.split_once(' '));
        Outcome {
            answers: answers.map(|(step, answer)| (step.to_owned(), answer.to_owned())).collect(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            ended_well: output.status.success(),
        }
    }
}

/// What a child has said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answers: Vec<(String, String)>,
    pub(crate) stderr: String,
    pub(crate) ended_well: bool,
}

impl Outcome {
    /// The answer to the last step of that name.
    pub(crate) fn answer(&self, step: &str) -> &str {
        let found = self.answers.iter().rfind(|(name, _)| name == step);
        &found.unwrap_or_else(|| panic!("no step {step}: {self:?}")).1
    }

    /// The answers to all steps of that name.
    pub(crate) fn all(&self, step: &str) -> Vec<&str> {
        self.answers.iter().filter(|(name, _)| name == step).map(|(_, answer)| answer.as_str()).collect()
    }

    /// The return value of the last step of that name.
    pub(crate) fn rv(&self, step: &str) -> u64 {
        let answer = self.answer(step);
        let digits = answer.strip_prefix("0x").unwrap_or_else(|| panic!("{step} gave {answer}: {self:?}"));
        u64::from_str_radix(digits, 16).unwrap()
    }

    /// Every step went well, and nothing was said.
    #[track_caller]
    pub(crate) fn assert_quiet(&self) {
        assert_eq!(self.stderr, "", "{self:?}");
        for (step, answer) in &self.answers {
            assert!(answer == "ok" || answer == "0x0" || !answer.starts_with("0x"), "{step} gave {answer}: {self:?}");
        }
    }

    /// The step gave `rv`, and exactly one line on stderr says so, with the path and all of `words`.
    #[track_caller]
    pub(crate) fn assert_one_line(&self, step: &str, rv: u64, path: &Path, words: &[&str]) {
        assert_eq!(self.rv(step), rv, "{self:?}");
        let lines: Vec<&str> = self.stderr.lines().collect();
        let [line] = lines[..] else { panic!("not one line but {}:\n{}", lines.len(), self.stderr) };
        assert_clear(line, path, words);
    }
}

/// A line of ours that names the function, the return value, the path and the words, and is no essay.
#[track_caller]
pub(crate) fn assert_clear(line: &str, path: &Path, words: &[&str]) {
    println!("{line}");
    assert!(line.starts_with("cloudhsm-pkcs11["), "{line}");
    assert!(line.contains(": C_") && line.contains(": CKR_"), "it names neither the function nor the value: {line}");
    assert!(line.contains(path.to_str().unwrap()), "the path {} is not in it: {line}", path.display());
    for word in words {
        assert!(line.contains(word), "{word:?} is not in it: {line}");
    }
    let said = line.len() - line.matches(path.to_str().unwrap()).count() * path.as_os_str().len();
    // The longest is the list of all settings.
    assert!(said < 600, "{said} bytes beside the path: {line}");
    for noise in ["panicked", "RUST_BACKTRACE", "src/", ".rs:"] {
        assert!(!line.contains(noise), "{noise} is in it: {line}");
    }
}

/// A healthy HSM with a crypto user and a key `first`, and what that key answers.
pub(crate) struct Hsm {
    pub(crate) place: Place,
    pub(crate) home: PathBuf,
    account: Option<(u32, u32)>,
    block: String,
}

impl Hsm {
    /// One that belongs to whoever runs the test.
    pub(crate) fn new() -> Self {
        Self::of(None)
    }

    /// One that belongs to `nobody`. For root.
    pub(crate) fn of_nobody() -> Self {
        Self::of(Some((NOBODY, NOBODY)))
    }

    fn of(account: Option<(u32, u32)>) -> Self {
        let place = Place::new();
        let home = place.join("home");
        if let Some((user, group)) = account {
            place.folder("home", user, group, 0o700);
        }
        let mut hsm = Self { place, home, account, block: String::new() };
        let made = hsm.run("initialize;activate;create_user;login;make first;use first;finalize");
        made.assert_quiet();
        made.answer("use").clone_into(&mut hsm.block);
        assert!(hsm.block.starts_with("block-"), "{made:?}");
        hsm
    }

    /// What the key `first` answers.
    pub(crate) fn block(&self) -> &str {
        &self.block
    }

    /// The HSM's folder, or a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.join("hsm1").join(name).components().collect()
    }

    /// A child of the HSM's own account.
    pub(crate) fn child(&self) -> Run {
        let run = Run::new(&self.home);
        match self.account {
            Some((user, group)) => run.user(user, group),
            None => run,
        }
    }

    pub(crate) fn run(&self, steps: &str) -> Outcome {
        self.child().steps(steps).run()
    }

    /// The key is there and answers as before, and the HSM takes another one.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        let outcome = self.run("initialize;login;use first;make later;use later;finalize;initialize;login;use first");
        outcome.assert_quiet();
        assert_eq!([outcome.all("use")[0], outcome.answer("use")], [&self.block; 2], "{outcome:?}");
        self.run("initialize;login;use first;finalize").assert_quiet();
    }

    /// C_Initialize is refused with one line about `name` that holds `words`; `mend` makes the HSM whole again.
    #[track_caller]
    pub(crate) fn assert_refused(&self, rv: u64, name: &str, words: &[&str], mend: impl FnOnce()) {
        let outcome = self.run("initialize");
        outcome.assert_one_line("initialize", rv, &self.file(name), words);
        mend();
        self.assert_whole();
    }

    /// What the folder holds, to be put back.
    pub(crate) fn backup(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.file("")).unwrap();
        entries.map(|entry| entry.unwrap().path()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// Puts files back in place, under the inodes that are there.
    pub(crate) fn restore(&self, backup: &[(PathBuf, Vec<u8>)]) {
        for entry in fs::read_dir(self.file("")).unwrap() {
            let path = entry.unwrap().path();
            if !backup.iter().any(|(kept, _)| *kept == path) {
                fs::remove_file(path).unwrap();
            }
        }
        for (path, bytes) in backup {
            fs::write(path, bytes).unwrap();
        }
    }
}
