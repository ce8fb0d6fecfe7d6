//! The pages of a program, one for each of its commands, from its grammar.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::roman;

use crate::page::Page;

/// The pages of `program` and of all commands below it, each with its name.
pub(crate) fn pages(program: Command) -> Vec<(String, Page)> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    collect(&program, None, &mut pages);
    pages
}

fn collect(command: &Command, above: Option<&str>, pages: &mut Vec<(String, Page)>) {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut page = Page::new(&name, "1");
    let man = Man::new(command.clone());
    section(&mut page, |out| man.render_name_section(out));
    section(&mut page, |out| man.render_synopsis_section(out));
    section(&mut page, |out| man.render_description_section(out));
    section(&mut page, |out| man.render_options_section(out));
    if shown(command).next().is_some() {
        section(&mut page, |out| man.render_subcommands_section(out));
    }
    if let Some(help) = command.get_after_help() {
        examples(&mut page, &help.to_string());
    }
    page.control("SH", &["SEE ALSO"]);
    let above = above.map(|above| format!("{above}(1), ")).unwrap_or_default();
    page.text(vec![roman(format!("{above}cloudhsm-pkcs11(5), cloudhsm-pkcs11-troubleshooting(7)"))]);
    for below in shown(command) {
        collect(below, Some(&name), pages);
    }
    pages.push((name, page));
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
}

/// One section as clap_mangen writes it.
fn section(page: &mut Page, write: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) {
    let mut out = Vec::new();
    // Memory takes all that is written.
    if write(&mut out).is_ok() {
        page.piece(&String::from_utf8_lossy(&out));
    }
}

/// What stands below the help of a command: words to the left, commands indented by two blanks, which stay as they are.
fn examples(page: &mut Page, help: &str) {
    page.control("SH", &["EXAMPLES"]);
    let mut inside = false;
    for line in help.lines().filter(|line| !matches!(line.trim(), "" | "Example:" | "Examples:")) {
        let command = line.strip_prefix("  ");
        if command.is_some() != inside {
            inside = !inside;
            let (around, within) = if inside { ("RS", "nf") } else { ("RE", "fi") };
            if inside {
                page.control(around, &["4"]);
                page.control(within, &[]);
            } else {
                page.control(within, &[]);
                page.control(around, &[]);
                page.control("PP", &[]);
            }
        }
        page.text(vec![roman(command.unwrap_or(line))]);
    }
    if inside {
        page.control("fi", &[]);
        page.control("RE", &[]);
    }
}
