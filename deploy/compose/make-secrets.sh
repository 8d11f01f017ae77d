#!/bin/sh
# Makes the secrets of compose.yaml, once, in ./secrets. Keep a copy of master_key elsewhere: without it the stored
# credentials cannot be read.
set -eu
cd "$(dirname "$0")"
mkdir -m 0700 secrets
cd secrets
openssl rand -base64 32 >master_key
openssl rand -hex 24 >operator_key
nats=$(openssl rand -hex 24)
postgres=$(openssl rand -hex 24)
printf '%s' "$postgres" >postgres_password
printf 'authorization { user: peal, password: "%s" }\n' "$nats" >nats_auth
printf 'nats://peal:%s@nats-1:4222,nats://peal:%s@nats-2:4222,nats://peal:%s@nats-3:4222\n' "$nats" "$nats" "$nats" >nats_url
printf 'postgres://peal:%s@postgres:5432/peal?sslmode=disable\n' "$postgres" >database_url
chmod 0444 ./* # the folder is closed to others; the processes in the containers are not its owner
echo "made $(pwd); the operator's key is in operator_key"
