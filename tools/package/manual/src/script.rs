//! The page of a script, from the comment at its head: what it does, `usage: ...`, and paragraphs.

use clap_mangen::roff::roman;

use crate::page::Page;

/// The page of the script `name` with the text `text`.
pub(crate) fn page(name: &str, text: &str) -> Page {
    let mut page = Page::new(name, "1");
    let comment: Vec<&str> =
        text.lines().skip(1).map_while(|line| line.strip_prefix('#')).map(str::trim_start).collect();
    let comment = comment.join("\n");
    let mut paragraphs = comment.split("\n\n");
    let what = paragraphs.next().unwrap_or_default().replace('\n', " ");
    page.control("SH", &["NAME"]);
    page.text(vec![roman(format!("{name} - {}", what.trim_end_matches('.')))]);
    for paragraph in paragraphs {
        match paragraph.strip_prefix("usage: ") {
            Some(usage) => {
                page.control("SH", &["SYNOPSIS"]);
                page.text(vec![roman(usage)]);
                page.control("SH", &["DESCRIPTION"]);
            }
            None => {
                page.control("PP", &[]);
                page.text(vec![roman(paragraph)]);
            }
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn the_comment_is_the_page() {
        let page =
            page("demo", "#!/bin/sh\n# Shows it.\n#\n# usage: demo [FOLDER]\n#\n# Twice,\n# if asked.\nset -e\n# no\n");
        let body = page.as_str().split_once(".SH").map(|(_, body)| body);
        assert_eq!(
            body,
            Some(
                " \"NAME\"\ndemo \\- Shows it\n.SH \"SYNOPSIS\"\ndemo [FOLDER]\n.SH \"DESCRIPTION\"\n.PP\nTwice,\nif asked.\n"
            )
        );
    }
}
