// SPDX-License-Identifier: MIT
//
// Question: how fast and how compact is the heap of a game, whose blocks live for one frame, for
// an entity's life, or for a level?
//
// Model: the three lifetimes of Gregory, "Game Engine Architecture" (3rd edition, section 6.2:
// single-frame, double-buffered, level and entity allocations), put on malloc. Two threads, each a
// job system's worker with its share of the world. A frame: 1,500 transient blocks of 16 to 256
// bytes (events, contacts, visible sets) freed at its end; 500 draw commands of 48 to 192 bytes
// freed at the end of the next frame by the other thread, which renders them; 40 of 20,000 entities
// die and are born (a body and two components, 64 to 768 bytes); and every 30 frames one of 96
// assets of 64 KiB to 2 MiB (textures, meshes, sounds) is streamed out and another one in.
#include "pattern.h"
#include "ring.h"

enum { TRANSIENTS = 1500, DRAWS = 500, BIRTHS = 40, ENTITIES = 20000, PARTS = 3 };
enum { ASSETS = 96, ASSET_FRAMES = 30, FRAMES = 3000 };

struct world {
  struct random random;
  size_t frames;
  struct ring *out, *in;
  size_t ops;
  void **transients;
  void **entities;  // PARTS blocks each
  void **assets;
};

static void entity_respawn(struct world *world, size_t entity)
{
  void **parts = &world->entities[entity * PARTS];
  for (size_t i = 0; i < PARTS; i++) {
    block_end(parts[i]);
    parts[i] = block_new(random_between(&world->random, 64, i == 0 ? 256 : 768));
  }
  world->ops += PARTS;
}

static void asset_stream(struct world *world, size_t asset)
{
  const size_t base = (size_t)65536 << random_below(&world->random, 5);
  block_end(world->assets[asset]);
  world->assets[asset] = block_new(base + random_below(&world->random, (uint32_t)base));
  world->ops++;
}

static void level_load(struct world *world)
{
  for (size_t i = 0; i < ASSETS; i++) asset_stream(world, i);
  for (size_t i = 0; i < ENTITIES; i++) entity_respawn(world, i);
}

static void frame_simulate(struct world *world, size_t frame)
{
  for (size_t i = 0; i < TRANSIENTS; i++) {
    const uint32_t low = (uint32_t)16 << random_below(&world->random, 4);
    world->transients[i] = block_new(low + random_below(&world->random, low));
  }
  for (size_t i = 0; i < DRAWS; i++) {
    void *command = block_new(random_between(&world->random, 48, 192));
    while (!ring_push(world->out, command)) sched_yield();
  }
  ring_publish(world->out);
  world->ops += TRANSIENTS + DRAWS;
  for (size_t i = 0; i < BIRTHS; i++) entity_respawn(world, random_below(&world->random, ENTITIES));
  if (frame % ASSET_FRAMES == 0) asset_stream(world, random_below(&world->random, ASSETS));
  for (size_t i = 0; i < TRANSIENTS; i++) block_end(world->transients[i]);
}

// Renders the other worker's previous frame: its commands are waited for, checked and freed.
static void frame_render(struct world *world)
{
  for (size_t i = 0; i < DRAWS; i++) {
    void *command;
    while (!ring_pop(world->in, &command)) sched_yield();
    block_end(command);
  }
}

static size_t world_load(void *worker)
{
  struct world *world = worker;
  level_load(world);
  for (size_t frame = 0; frame < world->frames; frame++) {
    frame_simulate(world, frame);
    if (frame != 0) frame_render(world);
  }
  frame_render(world);
  return world->ops;
}

static void world_live(void *worker, struct live *live)
{
  const struct world *world = worker;
  for (size_t i = 0; i < ENTITIES * PARTS; i++) live_add_block(live, world->entities[i]);
  for (size_t i = 0; i < ASSETS; i++) live_add_block(live, world->assets[i]);
}

static void world_end(void *worker)
{
  const struct world *world = worker;
  for (size_t i = 0; i < ENTITIES * PARTS; i++) block_end(world->entities[i]);
  for (size_t i = 0; i < ASSETS; i++) block_end(world->assets[i]);
}

int main(int argc, char **argv)
{
  const struct pattern pattern = {world_load, world_live, world_end};
  struct ring *rings = table_map(WORKERS * sizeof *rings);
  struct world worlds[WORKERS];
  for (size_t i = 0; i < WORKERS; i++)
    worlds[i] = (struct world){.random = random_seeded(i),
                               .frames = work_scale(argc, argv) * FRAMES,
                               .out = &rings[i],
                               .in = &rings[1 - i],
                               .transients = table_map(TRANSIENTS * sizeof(void *)),
                               .entities = table_map(ENTITIES * PARTS * sizeof(void *)),
                               .assets = table_map(ASSETS * sizeof(void *))};
  return pattern_run(&pattern, worlds, sizeof *worlds);
}
