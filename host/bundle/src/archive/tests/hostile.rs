//! What a reader refuses, and that each refusal has its own reason. The archives are made by a
//! writer of their own, so that a mistake in the real one shows.

use super::*;
use std::fmt::Write as _;
use std::io::Read;

/// One entry of an archive, with what a header can lie about.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    content: Vec<u8>,
    edits: Vec<(usize, Vec<u8>)>,
    padding: u8,
    checksum: bool,
}

impl Entry {
    fn new(name: &str, content: &[u8]) -> Self {
        let (name, content) = (name.as_bytes().to_vec(), content.to_vec());
        Self { name, content, edits: Vec::new(), padding: 0, checksum: true }
    }

    fn edit(mut self, at: usize, bytes: &[u8]) -> Self {
        self.edits.push((at, bytes.to_vec()));
        self
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut block = [0_u8; 512];
        block[..self.name.len()].copy_from_slice(&self.name);
        block[100..148].copy_from_slice(
            format!(
                "0000644\x000000000\x000000000\x00{:011o}\x0002263523000\x00",
                self.content.len()
            )
            .as_bytes(),
        );
        block[148..156].fill(b' ');
        block[156] = b'0';
        block[257..265].copy_from_slice(b"ustar\x0000");
        block[329..345].copy_from_slice(b"0000000\x000000000\x00");
        for (at, bytes) in &self.edits {
            block[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        if self.checksum {
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\x00 ").as_bytes());
        }
        out.extend(block);
        out.extend(&self.content);
        out.resize(out.len().next_multiple_of(512), self.padding);
    }
}

/// An archive of these files, sorted, as it should be.
fn archive(files: &[(&str, &[u8])]) -> Vec<Entry> {
    let mut sorted = files.to_vec();
    sorted.sort_unstable();
    let mut list = String::new();
    for (name, content) in &sorted {
        writeln!(list, "{}  {name}", sha256(content).hex()).unwrap();
    }
    let mut entries = vec![Entry::new(SUMS_FILE, list.as_bytes())];
    entries.extend(sorted.iter().map(|(name, content)| Entry::new(name, content)));
    entries
}

fn good() -> Vec<Entry> {
    archive(&[("a.wasm", b"code"), ("plugin.toml", b"text"), ("wit/a.wit", b"wit")])
}

fn bytes(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        entry.write(&mut out);
    }
    out.resize(out.len() + 1024, 0);
    out
}

#[track_caller]
fn refused(what: &str, bytes: &[u8], code: &str, why: &str) {
    let error = read(bytes, "a.rfz").err().unwrap_or_else(|| panic!("{what} is accepted"));
    assert_eq!(error.code(), code, "{what}: {error:?}");
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        write!(text, ": {error}").unwrap();
        cause = error.source();
    }
    assert!(text.contains(why), "{what}: {text}");
    assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{what} has no hint");
}

#[test]
fn the_twin_of_every_refusal_is_accepted() {
    let sealed = read(bytes(&good()).as_slice(), "a.rfz").unwrap();
    assert_eq!(
        sealed.files().map(|(path, _)| path).collect::<Vec<_>>(),
        ["a.wasm", "plugin.toml", "wit/a.wit"]
    );
    // The writer of the tests and the real one agree.
    assert_eq!(packed(&sealed), bytes(&good()));
}

#[test]
fn headers_that_are_not_canonical_are_refused() {
    let cases: &[(&str, usize, &[u8], &str, &str)] = &[
        ("another mode", 100, b"0000755\0", "bundle::not-canonical", "mode is not `0000644`"),
        ("set-user-ID", 100, b"0004755\0", "bundle::not-canonical", "mode"),
        ("an owner", 108, b"0001750\0", "bundle::not-canonical", "owner is not `0000000`"),
        ("a group", 116, b"0001750\0", "bundle::not-canonical", "group"),
        ("a size with spaces", 124, b"          4 ", "bundle::not-canonical", "size"),
        ("a size without its end", 124, b"000000000004", "bundle::not-canonical", "size"),
        ("a size in base 256", 124, b"\x80\0\0\0\0\0\0\0\0\0\0\x04", "bundle::large-size", "8 GiB"),
        (
            "a negative size",
            124,
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            "bundle::large-size",
            "8 GiB",
        ),
        ("a time", 136, b"02263523001\0", "bundle::not-canonical", "time is not `02263523000`"),
        ("the magic of GNU", 257, b"ustar  \0", "bundle::not-canonical", "magic and version"),
        ("an owner's name", 265, b"root", "bundle::not-canonical", "owner name"),
        ("a group's name", 297, b"root", "bundle::not-canonical", "group name"),
        ("a device number", 329, b"0000001\0", "bundle::not-canonical", "major number"),
        ("no device number", 337, b"\0\0\0\0\0\0\0\0", "bundle::not-canonical", "minor number"),
        ("a prefix that is not needed", 345, b"x", "bundle::not-canonical", "name"),
        ("bytes after the name", 50, b"x", "bundle::not-canonical", "name"),
        ("a link's name", 157, b"x", "bundle::not-canonical", "link name"),
        ("bytes after the prefix", 400, b"x", "bundle::not-canonical", "prefix"),
        ("bytes at the end", 511, b"x", "bundle::not-canonical", "last bytes"),
        ("the form before POSIX", 156, b"\0", "bundle::entry-kind", "before POSIX"),
        ("a hard link", 156, b"1", "bundle::entry-kind", "a hard link"),
        ("a symbolic link", 156, b"2", "bundle::entry-kind", "a symbolic link"),
        ("a character device", 156, b"3", "bundle::entry-kind", "a character device"),
        ("a block device", 156, b"4", "bundle::entry-kind", "a block device"),
        ("a directory", 156, b"5", "bundle::entry-kind", "a directory"),
        ("a FIFO", 156, b"6", "bundle::entry-kind", "a FIFO"),
        ("a contiguous file", 156, b"7", "bundle::entry-kind", "contiguous"),
        ("pax", 156, b"x", "bundle::entry-kind", "pax"),
        ("global pax", 156, b"g", "bundle::entry-kind", "pax"),
        ("a long name of GNU", 156, b"L", "bundle::entry-kind", "GNU"),
        ("a long link of GNU", 156, b"K", "bundle::entry-kind", "GNU"),
        ("a sparse file of GNU", 156, b"S", "bundle::entry-kind", "sparse"),
        ("a volume of GNU", 156, b"V", "bundle::entry-kind", "GNU"),
        ("a vendor's entry", 156, b"Q", "bundle::entry-kind", "vendor"),
        ("an unknown entry", 156, b"\xff", "bundle::entry-kind", "unknown"),
    ];
    for (what, at, edit, code, why) in cases {
        // In every header: that of the list, of the first file and of the last.
        for entry in 0..good().len() {
            if *what == "the magic of GNU" && entry == 0 {
                continue;
            }
            let mut entries = good();
            entries[entry] = entries[entry].clone().edit(*at, edit);
            refused(what, &bytes(&entries), code, why);
        }
    }
}

#[test]
fn a_checksum_must_be_right_and_in_its_one_form() {
    for (what, checksum) in [("wrong", b"000000\0 "), ("in another form", b"00000000")] {
        let mut entries = good();
        entries[1] = entries[1].clone().edit(148, checksum);
        entries[1].checksum = false;
        refused(what, &bytes(&entries), "bundle::checksum", "wrong checksum");
    }
}

#[test]
fn paths_that_do_not_mean_one_file_everywhere_are_refused() {
    let long = "x".repeat(101);
    let longer = format!("{}/{}", "x".repeat(75), "y".repeat(75));
    let deep = ["d"; MAX_DEPTH + 1].join("/");
    let cases: &[(&str, &str)] = &[
        ("/etc/passwd", "it is absolute"),
        ("../x", "`..`"),
        ("a/../../x", "`..`"),
        ("./x", "`.` as a part"),
        ("a//x", "an empty part"),
        ("a/", "an empty part"),
        ("", "it is empty"),
        ("a\\x", "a backslash"),
        ("..\\x", "a backslash"),
        ("C:x", "`:`"),
        ("x:stream", "`:`"),
        ("a\nb", "a control character"),
        ("a\x1b[2Jb", "a control character"),
        ("caf\u{e9}", "outside ASCII"),
        ("cafe\u{301}", "outside ASCII"),
        ("x\u{202e}gpj.exe", "outside ASCII"),
        ("x.", "ends with a dot"),
        ("x ", "ends with a space"),
        ("a/ x", "starts"),
        ("nul", "a device"),
        ("wit/CON.wit", "a device"),
        ("com1 .txt", "a device"),
        (&long, "more than 100 bytes"),
        (&longer, "more than 150 bytes"),
        (&deep, "more than 16 parts"),
    ];
    for (path, why) in cases {
        // In the list, in a header whatever the list says, and in a directory that is packed.
        if !path.contains('\n') {
            let list = format!("{}  {path}\n", sha256(b"").hex());
            let entries = [Entry::new(SUMS_FILE, list.as_bytes())];
            refused(path, &bytes(&entries), "bundle::path", why);
        }
        if path.len() <= 100 {
            let entries = [good()[0].clone(), Entry::new(path, b"")];
            refused(path, &bytes(&entries), "bundle::path", why);
        }
        let files = BTreeMap::from([((*path).to_owned(), Vec::new())]);
        assert_eq!(seal(files, "a").unwrap_err().code(), "bundle::path", "{path}");
    }
    let entries = [good()[0].clone(), Entry::new("x", b"").edit(0, b"\xff")];
    refused("bytes", &bytes(&entries), "bundle::path", "not text in UTF-8");
}

#[test]
fn a_name_with_nul_is_cut_nowhere() {
    let entries = [good()[0].clone(), Entry::new("a.wasm\0.sig", b"code")];
    refused("NUL", &bytes(&entries), "bundle::not-canonical", "name");
}

#[test]
fn entries_are_listed_once_each_and_in_order() {
    let e = good();
    let extra = Entry::new("b", b"");
    let minisig = Entry::new(SIGNATURE_FILE, b"s");
    let first = Entry::new("SHA256SUMS.00AA00AA00AA00AA.minisig", b"s");
    let cases: Vec<(&str, Vec<Entry>, &str, &str)> = vec![
        ("twice", vec![e[0].clone(), e[1].clone(), e[1].clone()], "bundle::duplicate", "twice"),
        ("the list twice", vec![e[0].clone(), e[0].clone()], "bundle::duplicate", "twice"),
        ("not first", vec![e[1].clone(), e[0].clone()], "bundle::no-sums", "comes first"),
        ("no list", e[1..].to_vec(), "bundle::no-sums", "SHA256SUMS"),
        ("not listed", vec![e[0].clone(), e[1].clone(), extra], "bundle::not-listed", "`b`"),
        ("missing", e[..3].to_vec(), "bundle::missing-file", "`wit/a.wit`"),
        ("only the list", e[..1].to_vec(), "bundle::missing-file", "`a.wasm`"),
        (
            "wrong order",
            vec![e[0].clone(), e[2].clone(), e[1].clone(), e[3].clone()],
            "bundle::order",
            "sorted",
        ),
        (
            "a late signature",
            vec![e[0].clone(), e[1].clone(), minisig.clone()],
            "bundle::order",
            "signatures come before",
        ),
        (
            "signatures out of order",
            vec![e[0].clone(), minisig.clone(), first],
            "bundle::order",
            "sorted",
        ),
        (
            "a signature twice",
            vec![e[0].clone(), minisig.clone(), minisig],
            "bundle::duplicate",
            "twice",
        ),
        (
            "a signature of another kind",
            vec![e[0].clone(), Entry::new("SHA256SUMS.sshsig", b"")],
            "bundle::reserved-name",
            "kept",
        ),
        (
            "the list in small letters",
            vec![e[0].clone(), Entry::new("sha256sums", b"")],
            "bundle::reserved-name",
            "kept",
        ),
    ];
    for (what, entries, code, why) in cases {
        refused(what, &bytes(&entries), code, why);
    }
}

#[test]
fn paths_that_are_one_file_on_some_systems_are_refused() {
    for (files, code) in [
        (["A.wasm", "a.wasm"], "bundle::same-but-for-case"),
        (["Wit/a", "wit/b"], "bundle::same-but-for-case"),
        (["wit", "wit/b"], "bundle::file-and-directory"),
        (["wit", "wit.a/b"], ""),
    ] {
        let entries = archive(&files.map(|file| (file, b"" as &[u8])));
        match code {
            "" => assert!(read(bytes(&entries).as_slice(), "a.rfz").is_ok()),
            code => refused(files[0], &bytes(&entries), code, files[1]),
        }
    }
}

#[test]
fn files_that_are_not_the_listed_ones_are_refused() {
    let mut entries = good();
    entries[1].content = b"cod3".to_vec();
    refused("changed", &bytes(&entries), "bundle::changed", "`a.wasm` was changed");
    let mut entries = good();
    entries[2].content.clear();
    refused("emptied", &bytes(&entries), "bundle::changed", "`plugin.toml` was changed");
}

#[test]
fn lines_of_the_list_have_one_form() {
    let hex = sha256(b"").hex();
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "lists no file"),
        (format!("{hex}  a"), "line feed"),
        (format!("{hex}  a\r\n"), "control character"),
        (format!("{hex} *a\n"), "two spaces"),
        (format!("{hex} a\n"), "two spaces"),
        (format!("\\{hex}  a\n"), "hexadecimal"),
        (format!("{}  a\n", hex.to_uppercase()), "hexadecimal"),
        (format!("SHA256 (a) = {hex}\n"), "hexadecimal"),
        ("\n".to_owned(), "shorter"),
        (format!("{hex}  b\n{hex}  a\n"), "sorted"),
        (format!("{hex}  a\n{hex}  a\n"), "twice"),
        (format!("{hex}  SHA256SUMS\n"), "names the list itself"),
        (format!("{hex}  sha256sums.MINISIG\n"), "names the list itself"),
        (format!("{hex}  a\n\n"), "shorter"),
        (format!("# {hex}\n"), "hexadecimal"),
        ("é".repeat(40), "line feed"),
        (format!("{}\n", "é".repeat(40)), "hexadecimal"),
        (format!("{}é  a\n", &hex[..63]), "shorter"),
    ];
    for (list, why) in cases {
        let entries = [Entry::new(SUMS_FILE, list.as_bytes())];
        let error = read(bytes(&entries).as_slice(), "a.rfz").unwrap_err();
        let text = format!("{}: {:?}", error.problem().unwrap(), error);
        let inner = match error.problem().unwrap() {
            ArchiveProblem::Path { problem, .. } => problem.to_string(),
            other => other.to_string(),
        };
        assert!(inner.contains(why), "{list:?}: {text}");
    }
    refused("bytes", &bytes(&[Entry::new(SUMS_FILE, b"\xff\n")]), "bundle::sums", "UTF-8");
}

#[test]
fn an_archive_ends_where_it_ends() {
    let whole = bytes(&good());
    for cut in 0..whole.len() {
        let error = read(&whole[..cut], "a.rfz").unwrap_err();
        let codes = ["bundle::truncated", "bundle::no-end", "bundle::not-a-bundle"];
        assert!(codes.contains(&error.code()), "{cut}: {error:?}");
    }
    refused("no end", &whole[..whole.len() - 1024], "bundle::no-end", "two empty blocks");
    refused("half an end", &whole[..whole.len() - 512], "bundle::no-end", "two empty blocks");
    for more in [vec![0], vec![0; 512], vec![0; 8192], b"x".to_vec(), whole.clone()] {
        refused("more", &[whole.clone(), more].concat(), "bundle::trailing-data", "after the end");
    }
    let mut one = whole[..whole.len() - 512].to_vec();
    one.extend([1; 512]);
    refused("a block after one empty one", &one, "bundle::no-end", "two empty blocks");
    let mut entries = good();
    entries[1].padding = 1;
    refused("padding", &bytes(&entries), "bundle::padding", "not zero");
}

#[test]
fn what_is_no_bundle_is_named() {
    for (head, code, why) in [
        (b"\x1f\x8b\x08" as &[u8], "bundle::compressed", "gzip"),
        (b"\x28\xb5\x2f\xfd", "bundle::compressed", "zstd"),
        (b"\xfd7zXZ\0", "bundle::compressed", "xz"),
        (b"BZh91AY", "bundle::compressed", "bzip2"),
        (b"PK\x03\x04", "bundle::not-a-bundle", "ZIP"),
        (b"\0asm\x0d\0\x01\0", "bundle::not-a-bundle", "component"),
        (b"", "bundle::not-a-bundle", "empty"),
        (&[0; 1024], "bundle::not-a-bundle", "does not begin like"),
    ] {
        refused(why, head, code, why);
    }
}

/// Gives the same bytes for ever, and counts them.
struct Endless {
    head: Vec<u8>,
    given: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = if self.head.is_empty() {
            buffer.fill(b'x');
            buffer.len()
        } else {
            let count = buffer.len().min(self.head.len());
            buffer[..count].copy_from_slice(&self.head[..count]);
            self.head.drain(..count);
            count
        };
        self.given += count as u64;
        Ok(count)
    }
}

#[test]
fn sizes_are_refused_from_the_header_before_anything_is_read() {
    let over = |limit: u64| format!("{:011o}\x00", limit + 1);
    let list = archive(&[("a.wasm", b"")]);
    let signature = Entry::new(SIGNATURE_FILE, b"");
    for (entries, code) in [
        (
            vec![list[0].clone().edit(124, over(MAX_SUMS_BYTES).as_bytes())],
            "bundle::file-too-large",
        ),
        (
            vec![list[0].clone(), list[1].clone().edit(124, over(MAX_FILE_BYTES).as_bytes())],
            "bundle::file-too-large",
        ),
        (
            vec![list[0].clone(), signature.edit(124, over(MAX_SIGNATURE_BYTES).as_bytes())],
            "bundle::file-too-large",
        ),
        (
            vec![list[0].clone(), list[1].clone().edit(124, b"77777777777\0")],
            "bundle::file-too-large",
        ),
    ] {
        let mut head = Vec::new();
        for entry in entries {
            entry.write(&mut head);
        }
        let most = head.len() as u64;
        let mut endless = Endless { head, given: 0 };
        let error = read(&mut endless, "a.rfz").unwrap_err();
        assert_eq!(error.code(), code);
        assert!(endless.given <= most, "{} bytes were read", endless.given);
    }
}

#[test]
fn all_files_together_have_a_limit() {
    // Two files that are each allowed; the second is refused from its header alone.
    let mut builder =
        Builder::new("a", archive(&[("a", b""), ("b", b"")])[0].content.clone()).unwrap();
    builder.total_bytes = MAX_TOTAL_BYTES - 10;
    assert_eq!(builder.entry("a").unwrap(), 10);
    assert_eq!(builder.too_large("a").code(), "bundle::bundle-too-large");
    let error = builder.add("a".to_owned(), sha256(b""), vec![0; 11]).unwrap_err();
    assert_eq!(error.code(), "bundle::bundle-too-large");
}

#[test]
fn more_files_than_the_limit_are_refused() {
    let files = |count| (0..count).map(|n| (format!("{n:05}"), Vec::new())).collect();
    assert!(seal(files(MAX_FILES), "a").is_ok());
    assert_eq!(seal(files(MAX_FILES + 1), "a").unwrap_err().code(), "bundle::too-many-files");
}

#[test]
fn memory_follows_the_bytes_that_came() {
    // A header claims as much as is allowed, and the file ends: what was set aside is what came.
    let list = archive(&[("a.wasm", b"")]);
    let claims = list[1].clone().edit(124, format!("{MAX_FILE_BYTES:011o}\x00").as_bytes());
    let mut head = Vec::new();
    for entry in [list[0].clone(), claims] {
        entry.write(&mut head);
    }
    head.extend([0; 100]);
    refused("a claim", &head, "bundle::truncated", "inside a.wasm");
}
