;; A command of WASI 0.1 that opens `../secret.txt` in its first directory and writes what it reads.
;; It ends with the error number of the refusal.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\01\00\00\00\01\00\00")
  (data (i32.const 32) "../secret.txt")
  (func (export "_start") (local $code i32)
    (local.set $code
      (call $open
        (i32.const 3) (i32.const 1) (i32.const 32) (i32.const 13)
        (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 16)))
    (if (local.get $code) (then (call $exit (local.get $code))))
    (local.set $code
      (call $read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 4)))
    (if (local.get $code) (then (call $exit (local.get $code))))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))))
