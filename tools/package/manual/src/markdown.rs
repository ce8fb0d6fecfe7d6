//! A page from a file of docs/: the Markdown that those are written in, which is headings, paragraphs, lists, code and tables.
//!
//! A row of a table becomes a paragraph with its first cell as the term: a page is 80 columns wide, and the tables are not. The
//! cells between first and last are told by their heading.

use clap_mangen::roff::{Inline, bold, italic, roman};

use crate::page::Page;

/// The page `name` in `section`, which is `what`, from `text`.
pub(crate) fn page(name: &str, section: &str, what: &str, text: &str) -> Page {
    let mut page = Page::new(name, section);
    page.control("SH", &["NAME"]);
    page.text(vec![roman(format!("{name} - {what}"))]);
    let mut lines = text.lines().filter(|line| !line.starts_with("<!--")).peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("# ") {
            page.control("SH", &["DESCRIPTION"]);
        } else if let Some(heading) = line.strip_prefix("## ") {
            page.control("SH", &[&plain(heading).to_uppercase()]);
        } else if line.starts_with('|') {
            let mut rows = vec![cells(line)];
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                rows.push(cells(row));
            }
            table(&mut page, &rows);
        } else if line.starts_with("    ") {
            page.control("PP", &[]);
            page.control("RS", &["4"]);
            page.control("nf", &[]);
            page.text(vec![roman(line.strip_prefix("    ").unwrap_or(line))]);
            while let Some(more) = lines.next_if(|line| line.starts_with("    ")) {
                page.text(vec![roman(more.strip_prefix("    ").unwrap_or(more))]);
            }
            page.control("fi", &[]);
            page.control("RE", &[]);
        } else if !line.trim().is_empty() {
            let starts_item = |line: &str| line.starts_with("- ");
            let mut paragraph = line.strip_prefix("- ").unwrap_or(line).to_owned();
            while let Some(more) =
                lines.next_if(|line| !line.trim().is_empty() && !line.starts_with('|') && !starts_item(line))
            {
                paragraph = format!("{paragraph} {}", more.trim());
            }
            if starts_item(line) {
                page.control("IP", &["\\(bu", "2"]);
            } else {
                page.control("PP", &[]);
            }
            page.text(inline(&paragraph));
        }
    }
    page.control("SH", &["SEE ALSO"]);
    page.text(vec![roman("cloudhsm-cli(1), configure-pkcs11(1), configure-cli(1), cloudhsm-pkcs11(5)")]);
    page
}

/// The cells of a row; `\|` is a bar within one.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_start_matches('|').replace("\\|", "\u{0}");
    let row = row.trim_end_matches('|');
    row.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect()
}

/// The rows below the heading and its line.
fn table(page: &mut Page, rows: &[Vec<String>]) {
    let Some((heading, rows)) = rows.split_first() else { return };
    for row in rows.iter().skip(1) {
        let Some((term, rest)) = row.split_first() else { continue };
        page.control("TP", &[]);
        page.text(match inline(term).as_slice() {
            [Inline::Bold(_)] => inline(term),
            _ => vec![bold(plain(term))],
        });
        let Some((last, between)) = rest.split_last() else { continue };
        let mut said: Vec<Inline> = Vec::new();
        for (cell, heading) in between.iter().zip(heading.iter().skip(1)).filter(|(cell, _)| !cell.is_empty()) {
            if !heading.is_empty() {
                said.push(italic(plain(heading)));
                said.push(roman(": "));
            }
            said.extend(inline(cell));
            said.push(roman("; "));
        }
        said.extend(inline(last));
        page.text(said);
    }
}

/// Text without its marks.
fn plain(text: &str) -> String {
    let parts = inline(text).into_iter().map(|part| match part {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text,
        Inline::LineBreak => " ".to_owned(),
    });
    parts.collect()
}

/// `code` and **words** are bold; of a link the words stay.
fn inline(text: &str) -> Vec<Inline> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*', '[']) {
        let (before, marked) = rest.split_at(at);
        let found = if let Some(code) = marked.strip_prefix('`') {
            code.split_once('`').map(|(code, after)| (vec![bold(code)], after))
        } else if let Some(strong) = marked.strip_prefix("**") {
            strong.split_once("**").map(|(strong, after)| (vec![bold(plain(strong))], after))
        } else if let Some(link) = marked.strip_prefix('[') {
            let target = link.split_once("](");
            target.and_then(|(words, after)| after.split_once(')').map(|(_, after)| (inline(words), after)))
        } else {
            None
        };
        let mark = marked.chars().next().map_or(0, char::len_utf8);
        let (found, after) = found.unwrap_or_else(|| {
            let (mark, after) = marked.split_at(mark);
            (vec![roman(mark)], after)
        });
        if !before.is_empty() {
            parts.push(roman(before));
        }
        parts.extend(found);
        rest = after;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(roman(rest));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_fonts() {
        assert_eq!(
            inline("a `b` **c** [d `e`](f.md) * [g"),
            vec![
                roman("a "),
                bold("b"),
                roman(" "),
                bold("c"),
                roman(" "),
                roman("d "),
                bold("e"),
                roman(" "),
                roman("*"),
                roman(" "),
                roman("["),
                roman("g"),
            ]
        );
    }

    /// Of a row, the first cell is the term, and those between are told by their heading.
    #[test]
    fn a_row_is_a_paragraph() {
        let text =
            "# T\n\n| setting | default | meaning |\n|---|---|---|\n| `log` | `warn` | `a` \\| b |\n\nend\nof it\n";
        let page = page("n", "5", "w", text);
        let body = page.as_str().split_once(".SH \"DESCRIPTION\"\n").map(|(_, body)| body);
        let expected =
            ".TP\n\\fBlog\\fR\n\\fIdefault\\fR: \\fBwarn\\fR; \\fBa\\fR | b\n.PP\nend of it\n.SH \"SEE ALSO\"\n";
        assert!(body.is_some_and(|body| body.starts_with(expected)), "{body:?}");
    }
}
