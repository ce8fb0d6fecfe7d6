//! `write-manual FOLDER`: pages of the manual and completions for shells, from the programs' own grammars and from docs/.
//!
//! FOLDER is the `share` of an installation: what is written lies where the programs that read it look. Nothing here is
//! written by hand twice: an option that is added to a program is in its page and in its completions.

mod command;
mod markdown;
mod page;
mod script;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap_complete::Shell;

use page::Page;

/// The version that stands at the foot of a page.
const SOURCE: &str = concat!("cloudhsm-pkcs11 ", env!("CARGO_PKG_VERSION"));

/// The pages that are made from a file of docs/: name, section, what it is, the file.
const FROM_DOCS: &[(&str, &str, &str, &str)] = &[
    (
        "cloudhsm-pkcs11",
        "5",
        "configuration of the PKCS#11 library and of cloudhsm-cli",
        include_str!("../../../../docs/configuration.md"),
    ),
    (
        "cloudhsm-pkcs11-troubleshooting",
        "7",
        "what the error codes of the PKCS#11 library mean here, and what to do",
        include_str!("../../../../docs/troubleshooting.md"),
    ),
];

/// The demonstration, whose page is the comment at its head.
const DEMO: (&str, &str) = ("cloudhsm-pkcs11-demo", include_str!("../../demo"));

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let said = match arguments.as_slice() {
        [folder] => write(Path::new(folder)).map_err(|error| format!("{}: {error}", Path::new(folder).display())),
        _ => Err("usage: write-manual FOLDER (the share of an installation)".to_owned()),
    };
    match said {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            drop(writeln!(std::io::stderr(), "{why}"));
            ExitCode::FAILURE
        }
    }
}

/// The programs that are installed.
fn programs() -> Vec<clap::Command> {
    let [pkcs11, cli] = cloudhsm_configure::grammars();
    vec![cloudhsm_cli::grammar(), pkcs11, cli]
}

fn write(share: &Path) -> std::io::Result<()> {
    for program in programs() {
        let name = program.get_name().to_owned();
        for (shell, path) in [
            (Shell::Bash, format!("bash-completion/completions/{name}")),
            (Shell::Zsh, format!("zsh/site-functions/_{name}")),
            (Shell::Fish, format!("fish/vendor_completions.d/{name}.fish")),
        ] {
            put(&share.join(path), &cloudhsm_cli::completions(shell, &mut program.clone()))?;
        }
        for (name, page) in command::pages(program) {
            keep(share, &name, "1", &page)?;
        }
    }
    let (name, text) = DEMO;
    keep(share, name, "1", &script::page(name, text))?;
    for (name, section, what, text) in FROM_DOCS {
        keep(share, name, section, &markdown::page(name, section, what, text))?;
    }
    Ok(())
}

fn keep(share: &Path, name: &str, section: &str, page: &Page) -> std::io::Result<()> {
    put(&share.join(format!("man/man{section}/{name}.{section}")), page.as_str())
}

fn put(path: &Path, text: &str) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    std::fs::write(path, text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    /// Every command of each program has a page, which shows its example.
    #[test]
    fn every_command_has_a_page() {
        let mut count = 0;
        for program in programs() {
            for (name, page) in command::pages(program) {
                assert!(page.as_str().contains(".SH NAME"), "{name}");
                assert!(!name.ends_with("-help"), "{name}");
                count += 1;
            }
        }
        assert!(count > 70, "{count} pages");
    }

    #[test]
    fn what_is_written_lies_where_it_is_looked_for() {
        let folder = std::env::temp_dir().join(format!("write-manual-{}", std::process::id()));
        write(&folder).unwrap();
        for path in [
            "man/man1/cloudhsm-cli.1",
            "man/man1/cloudhsm-cli-key-generate-symmetric-aes.1",
            "man/man1/configure-pkcs11-add-cluster.1",
            "man/man1/cloudhsm-pkcs11-demo.1",
            "man/man5/cloudhsm-pkcs11.5",
            "man/man7/cloudhsm-pkcs11-troubleshooting.7",
            "bash-completion/completions/cloudhsm-cli",
            "zsh/site-functions/_configure-cli",
            "fish/vendor_completions.d/configure-pkcs11.fish",
        ] {
            assert!(folder.join(path).is_file(), "{path}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
