//! Many commands at once on one store.

use super::common::Fixture;

#[test]
fn commands_that_install_at_once_all_succeed_or_say_that_something_changed() {
    let fixture = Fixture::new();
    for number in 0..4 {
        let name = format!("p{number}");
        fixture.lay(&name, &Fixture::manifest(&name, "1.0.0", &[]));
        fixture.lay(
            &format!("same{number}"),
            &Fixture::manifest("same", &format!("1.0.{number}"), &[]),
        );
    }
    let start = |dir: String| {
        let args = ["install", &dir, "--yes", "--allow-unsigned", "--allow-downgrade"];
        let mut command = fixture.command(&args);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let dirs = (0..4).flat_map(|n| [format!("./p{n}"), format!("./same{n}")]);
    let children: Vec<_> = dirs.map(|dir| (dir.clone(), start(dir))).collect();
    let mut same = 0;
    for (dir, child) in children {
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        if dir.starts_with("./p") {
            assert_eq!(done.status.code(), Some(0), "{dir}: {said}");
        } else if done.status.code() == Some(0) {
            same += 1;
        } else {
            assert!(said.contains("error[store::changed]"), "{dir}: {said}");
        }
    }
    assert!(same > 0);
    let list = fixture.check(&["list", "--check"], 0, &["p0 1.0.0", "p3 1.0.0"]);
    assert_eq!(list.out.matches("same 1.0.").count(), same);
    assert_eq!(fixture.names("bundles").len(), 4 + same);
}
