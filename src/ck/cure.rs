//! What to do about a return value: the tables of docs/troubleshooting.md, which stand there once for people and programs.

const PAGE: &str = include_str!("../../docs/troubleshooting.md");

/// What the page says of a return value of a function: of the row that names the function, else of the first that names none.
/// A row of a code in a certain case ("from C_CreateObject of a certificate", or with the words of a message) is for people.
#[must_use]
pub fn of(result: &str, function: &str) -> Option<String> {
    let rows = || {
        PAGE.lines().filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            let (codes, cure) = (cells.next()?, cells.nth(1)?);
            let (codes, from) = codes.split_once(" from ").map_or((codes, None), |(codes, from)| (codes, Some(from)));
            let general = from.is_none_or(|from| !from.contains("C_"));
            let special = from.is_some_and(|from| has_word(from, function));
            let certain = codes.contains('"') || from.is_some_and(|from| from.contains(" of "));
            (has_word(codes, result) && !certain).then_some((general, special, cure))
        })
    };
    let row = rows().find(|(_, special, _)| *special).or_else(|| rows().find(|(general, ..)| *general));
    row.map(|(.., cure)| plain(cure))
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
        assert!(
            of("CKR_ATTRIBUTE_VALUE_INVALID", "C_CreateObject").contains("CKA_PRIVATE"),
            "not that of certificates"
        );
        assert!(!of("CKR_DEVICE_ERROR", "C_Sign").is_empty(), "from any call");
        assert!(!of("CKR_FUNCTION_FAILED", "C_Sign").is_empty(), "from an operation with a key");
        assert!(of("CKR_WRAPPING_KEY_HANDLE_INVALID", "C_WrapKey").contains("find it again"));
        assert_eq!(super::of("CKR_OK", "C_Sign"), None);
        assert_eq!(super::of("CKR_PIN", "C_Login"), None, "part of a word is no code");
    }
}
