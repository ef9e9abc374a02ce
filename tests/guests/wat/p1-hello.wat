;; A good command of WASI 0.1: a core module that writes one line.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\41\00\00\00")
  (data (i32.const 16) "{\22attempt\22:\22p1-hello\22,\22outcome\22:\22succeeded\22,\22detail\22:\22hello 0.1\22}\0a")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
