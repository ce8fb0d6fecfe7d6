//! What completes the commands of a program in a shell.

use clap::Command;
use clap_complete::Shell;

/// The script that completes the commands of `program` in `shell`.
#[must_use]
pub fn completions(shell: Shell, program: &mut Command) -> String {
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, program, &name, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    if shell != Shell::Bash {
        return script;
    }
    // clap_complete 4.6.11 writes a program's dash in one way where it finds the command, and in another where it tells what follows
    // it, so that nothing below the first word is completed.
    script.replace(
        &format!("{}__subcmd__", name.replace('-', "__subcmd__")),
        &format!("{}__subcmd__", name.replace('-', "__")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// bash finds a command by one name, and what follows it by the same.
    #[test]
    fn every_command_that_is_found_is_told() {
        let script = completions(Shell::Bash, &mut crate::grammar());
        let mut found = 0;
        for name in script.lines().filter_map(|line| line.trim().strip_prefix("cmd=\"")?.strip_suffix('"')) {
            if !name.is_empty() {
                found += 1;
                assert!(script.contains(&format!("\n        {name})\n")), "{name}");
            }
        }
        assert!(found > 100, "{found} commands");
    }
}
