"""Options that the reference lacks: of ffmpeg 4.4, 6, 7 and 8, and of the builds of Jellyfin, Emby and Plex."""

from typing import Final

VALUES: Final = """
    videotoolbox_pixfmt vdt
    display_rotation readrate_initial_burst readrate_catchup shortest_buf_duration stats_enc_pre stats_enc_post
    stats_mux_pre stats_enc_pre_fmt stats_enc_post_fmt stats_mux_pre_fmt enc_stats_pre enc_stats_post mux_stats
    enc_stats_pre_fmt enc_stats_post_fmt mux_stats_fmt stream_group filter_buffered_frames
    drop_changed apply_cropping print_graphs_file print_graphs_format mastering_display content_light
    amf_device d3d11va_device dxva2_device cuda_device
    loglevel_plex progressurl eae_prefix eae_batch_frames manifest_name skip_to_segment time_delta min_seg_duration
    strict_ts delete_removed_segments segment_write_temp
"""
"""… that take one. `bits_per_raw_sample`, `qsv_device` and the like are the reference's."""

FLAGS: Final = """
    intra deinterlace same_quant sameq force_fps display_hflip display_vflip fix_sub_duration_heartbeat print_graphs
    ignore_loop_count
"""

QUESTIONS: Final = "help -help ? hwaccel_list"

WHOLE: Final = """
    print_graphs print_graphs_file print_graphs_format filter_buffered_frames drop_changed amf_device d3d11va_device
    dxva2_device cuda_device loglevel_plex progressurl deinterlace
"""

SETTINGS: Final = """
    sei afbc rc_mode load_plugin load_plugins low_power async_depth segment_write_temp gifflags hwaccel_flags rkmpp
    stimeout listen_timeout extra_hw_frames low_delay_brc adaptive_i adaptive_b max_dec_frame_buffering
    start_at_zero_ts use_localtime use_localtime_mkdir audio_service_type vprofile vlevel prio_speed realtime
    constant_bit_rate max_ref_frames q_scale subtitle_delay initial_discontinuity
"""
"""Settings of codecs and formats that the reference was not built with. All of them take a value."""

PROBE_VALUES: Final = "output_format data_dump_format c codec"
PROBE_FLAGS: Final = "only_first_vframe show_stream_groups analyze_frames show_private_data"
