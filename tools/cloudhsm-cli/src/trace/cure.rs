//! What to do about a return value: the tables of docs/troubleshooting.md, which stand there once for people and programs.

const PAGE: &str = include_str!("../../../../docs/troubleshooting.md");

/// What the page says of a return value of a function; a row that names the function comes before one that names none.
pub(super) fn of(result: &str, function: &str) -> Option<String> {
    let rows = || {
        PAGE.lines().filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            Some((cells.next()?, cells.nth(1)?)).filter(|(codes, _)| has_word(codes, result))
        })
    };
    let special = rows().find(|(codes, _)| has_word(codes, function));
    special
        .or_else(|| rows().find(|(codes, _)| !codes.contains(" from ") && !codes.contains('"')))
        .map(|(_, cure)| plain(cure))
}

fn has_word(text: &str, wanted: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == wanted)
}

/// Without the marks of a link: `[settings](configuration.md)` is `settings (docs/configuration.md)`.
fn plain(text: &str) -> String {
    let mut made = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        let Some((words, (target, behind))) =
            link.split_once("](").and_then(|(words, rest)| Some((words, rest.split_once(')')?)))
        else {
            break;
        };
        made.push_str(before);
        made.push_str(&format!("{words} (docs/{target})"));
        rest = behind;
    }
    made.push_str(rest);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_cure_for_the_code_and_the_function() {
        let of = |result, function| of(result, function).unwrap_or_default();
        assert!(of("CKR_PIN_INCORRECT", "C_Login").contains("`user:password`"));
        assert!(of("CKR_FUNCTION_FAILED", "C_OpenSession").contains("CKF_RW_SESSION"));
        assert!(of("CKR_FUNCTION_FAILED", "C_Initialize").contains("configuration (docs/configuration.md)"));
        assert!(of("CKR_PIN_LEN_RANGE", "C_SetPIN").contains("choose another"), "a row of two codes");
        assert_eq!(super::of("CKR_OK", "C_Sign"), None);
        assert_eq!(super::of("CKR_PIN", "C_Login"), None, "part of a word is no code");
    }
}
