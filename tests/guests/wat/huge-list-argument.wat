;; Hands the host a message whose length is whatever was asked for, over a memory of two pages:
;; `attempt(length)`. Past 131,056 the message lies outside its memory.
(component
  (import "ringfence:host/log@0.1.0" (instance $log
    (type $cases (enum "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $cases)))
    (export "write" (func
      (param "level" $level)
      (param "message" string)
      (param "fields" (list (tuple string string)))))))
  (core module $store (memory (export "memory") 2))
  (core instance $store (instantiate $store))
  (alias core export $store "memory" (core memory $memory))
  (core func $write (canon lower (func $log "write") (memory $memory)))
  (core module $guest
    (import "host" "write" (func $write (param i32 i32 i32 i32 i32)))
    (import "store" "memory" (memory 2))
    (func (export "attempt") (param $length i32) (result i32)
      (call $write
        (i32.const 1) (i32.const 16) (local.get $length) (i32.const 0) (i32.const 0))
      local.get $length))
  (core instance $guest (instantiate $guest
    (with "host" (instance (export "write" (func $write))))
    (with "store" (instance $store))))
  (func (export "attempt") (param "length" u32) (result u32)
    (canon lift (core func $guest "attempt"))))
