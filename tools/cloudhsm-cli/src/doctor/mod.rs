//! `doctor`: checks the set-up, one line for each check, with the cure where something is wrong.
//!
//! Changes nothing unless it is asked to, needs no login, and goes on after a failure as far as it can, because the first thing that is
//! wrong is seldom the only one.

mod files;
mod store;

use std::process::ExitCode;

use hsm::config::Config;
use hsm::log;
use hsm::module::Module;

use crate::context::HSM;
use crate::credentials::Credentials;
use crate::output;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Make write.lock and gen.map anew if they are lost; only while no process uses the HSM
    #[arg(long)]
    replace_lost_files: bool,
    /// Also open every record and compare all that stands beside it; with CLOUDHSM_ROLE and CLOUDHSM_PIN those too that
    /// only a user's password opens
    #[arg(long)]
    verify: bool,
}

/// What has been said so far.
#[derive(Default)]
struct Report {
    wrong: bool,
}

impl Report {
    fn ok(&self, check: &str, text: &str) {
        Self::line("ok", check, text);
    }

    /// Nothing is wrong, but somebody may want to know.
    fn note(&self, check: &str, text: &str) {
        Self::line("note", check, text);
    }

    fn wrong(&mut self, check: &str, text: &str) {
        self.wrong = true;
        Self::line("FAIL", check, text);
    }

    fn line(status: &str, check: &str, text: &str) {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        output::line(&format!("{status:<4} {check}: {text}"));
    }
}

/// Runs every check; the status is 1 if one found something wrong.
pub(crate) fn run(cluster: Option<&str>, asked: &Arguments) -> ExitCode {
    let mut report = Report::default();
    program(&report);
    let credentials = credentials(&mut report).filter(|_| asked.verify);
    match Config::read() {
        Ok(config) => {
            configuration(&mut report, &config);
            if asked.replace_lost_files {
                match Module::replace_lost_files(&config, HSM) {
                    Ok(true) => report.note("folder", "lost files were made anew"),
                    Ok(false) => report.note("folder", "no file was lost that can be made anew"),
                    Err(error) => report.wrong("folder", error.message()),
                }
            }
            files::home(&mut report, &config);
            files::folder(&mut report, &config);
            store::check(&mut report, &config, cluster, asked.verify, credentials.as_ref());
        }
        Err(error) => {
            let text = error.message();
            report.wrong("configuration", text.strip_prefix("configuration ").unwrap_or(text));
        }
    }
    if report.wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Program and library are built from one source and have one version; which library an application loads is its
/// own affair, so the likely one is named.
fn program(report: &Report) {
    let version = env!("CARGO_PKG_VERSION");
    report.ok("program", &format!("cloudhsm-cli {version}, of Client SDK 5.18's behaviour"));
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("libcloudhsm_pkcs11.so")));
    match beside.filter(|library| library.is_file()) {
        Some(library) => report.ok("library", &format!("applications load {}", library.display())),
        None => {
            report.note("library", "libcloudhsm_pkcs11.so is not beside this program; give applications its full path")
        }
    }
}

/// The form of what commands log in with. No login is tried unless everything is to be verified: a wrong one would count.
fn credentials(report: &mut Report) -> Option<Credentials> {
    if std::env::var_os("CLOUDHSM_ROLE").is_none() && std::env::var_os("CLOUDHSM_PIN").is_none() {
        report
            .note("credentials", "CLOUDHSM_ROLE and CLOUDHSM_PIN are not set; set them for commands that need a login");
        return None;
    }
    match Credentials::from_environment("") {
        Ok(credentials) => {
            report.ok("credentials", &format!("CLOUDHSM_PIN is that of a {}", credentials.role.name()));
            Some(credentials)
        }
        Err(failure) => {
            report.wrong("credentials", failure.text());
            None
        }
    }
}

fn configuration(report: &mut Report, config: &Config) {
    let path = &config.file;
    let profile = format!("{:?}", config.settings.profile).to_lowercase();
    if path.is_file() {
        if !files::others_may_write(report, "configuration", path, config) {
            report.ok("configuration", &format!("{}, profile {profile}", path.display()));
        }
    } else {
        report.ok("configuration", &format!("no file {}, which is fine; profile {profile}", path.display()));
    }
    match log::configure(config.settings.log_level, config.settings.log_file.as_deref()) {
        Ok(()) => match &config.settings.log_file {
            Some(path) => report.ok("log", &path.display().to_string()),
            None => report.ok("log", "on stderr"),
        },
        Err(error) => report.wrong("log", error.message()),
    }
}
