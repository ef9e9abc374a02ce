;; Answers at once and loops afterwards, when the host tells it that the result was read:
;; `attempt(rounds)`.
(component
  (core module $guest
    (memory (export "memory") 1)
    (data (i32.const 16) "done")
    (data (i32.const 0) "\10\00\00\00\04\00\00\00")
    (global $left (mut i64) (i64.const 0))
    (func (export "attempt") (param i64) (result i32)
      (global.set $left (local.get 0))
      i32.const 0)
    (func (export "post-return") (param i32)
      (block $done
        (loop $again
          (br_if $done (i64.eqz (global.get $left)))
          (global.set $left (i64.sub (global.get $left) (i64.const 1)))
          (br $again)))))
  (core instance $guest (instantiate $guest))
  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "post-return" (core func $post-return))
  (func (export "attempt") (param "rounds" u64) (result string)
    (canon lift (core func $guest "attempt")
      (memory $memory) (post-return $post-return))))
