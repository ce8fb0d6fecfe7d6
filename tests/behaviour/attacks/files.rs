//! The attacks on the files, which are no calls: each line of docs/attacks.md names the test that shows it, and that test is there.

use std::path::Path;

#[test]
fn each_has_its_test() {
    let text = include_str!("../../../docs/attacks.md");
    let mut count = 0;
    for line in text.lines().filter(|line| line.starts_with("| X")) {
        count += 1;
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, attack, holds, without, with, shown] = cells[..] else { panic!("not six cells: {line}") };
        assert_eq!(number, format!("X{count:02}"));
        assert!([attack, holds, without, with].iter().all(|cell| !cell.is_empty()), "{line}");
        assert_ne!(with, "**succeeds**", "an anchor is there to find it: {line}");
        let names: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        let [file, test] = names[..] else { panic!("no file and test: {line}") };
        let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file);
        assert!(source.contains(&format!("#[test]\nfn {test}()")), "{file} has no test {test}");
    }
    assert!(count >= 10, "{count} lines");
}
